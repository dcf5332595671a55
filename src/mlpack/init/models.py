"""Which models the service runs, by which library, and the largest input they are given."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from mlpack.errors import UsageError
from mlpack.init.code import Module
from mlpack.init.detected import ANSWERS, SERVICE, DetectedModel, Questions, listed
from mlpack.init.limits import Limit, batch_limit, token_limit
from mlpack.init.naming import model_name
from mlpack.init.weights import FoundModel, find_models, format_at, stated_tokens
from mlpack.model import ModelInfo
from mlpack.project import why_not_inside
from mlpack.runtimes import RUNTIMES
from mlpack.runtimes.detect import candidates

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_TEXT_FORMATS = ("transformers", "gguf")
"""Formats whose input is counted in tokens."""


def choose_models(
    root: Path,
    files: Sequence[PurePosixPath],
    modules: Sequence[Module],
    answers: Mapping[str, str],
    *,
    requirements: Sequence[str],
    questions: Questions,
) -> tuple[DetectedModel, ...]:
    """The project's only model, or those that ``answers["model"]`` names."""
    said = answers.get("model")
    found = _named(root, said) if said is not None else find_models(root, files)
    if said is None and len(found) != 1:
        paths = tuple(model.path for model in found)
        questions.ask("model", f"found {listed(paths)}" if paths else "no model file was found")
        return ()
    batch, tokens = batch_limit(modules), token_limit(modules)
    models: list[DetectedModel] = []
    for model in found:
        taken = frozenset([SERVICE, *(other.name for other in models)])
        runtime = answers.get("runtime") or _runtime(model, requirements, questions)
        limit = _tokens(root, model, tokens if len(found) == 1 else None)
        reasons = [known.where for known in (limit, batch) if known is not None]
        hub = model.path.removeprefix("hub:") if model.path.startswith("hub:") else None
        models.append(
            DetectedModel(
                name=model_name(hub or model.path, taken),
                path=None if hub else model.path,
                hub=hub,
                runtime=runtime,
                tokens=limit.value if limit else None,
                batch=batch.value if batch else None,
                why=", ".join(reasons) or None,
            )
        )
    return tuple(models)


def _named(root: Path, said: str) -> tuple[FoundModel, ...]:
    """The models of ``--model``. Raises UsageError for a path that is not there."""
    if said.strip() == "none":
        return ()
    found = []
    for name in (part.strip() for part in said.split(",")):
        if name.startswith("hub:"):
            if not _HUB_NAME.fullmatch(name.removeprefix("hub:")):
                raise UsageError(f"{name!r} is no hub name", where="--model", hint="write hub:owner/name")
            found.append(FoundModel(name, ""))
            continue
        path = name.rstrip("/")
        reason = why_not_inside(path)
        if reason is None and not (root / path).exists():
            reason = "does not exist"
        if reason is not None:
            raise UsageError(f"the model {name!r} {reason}", where="--model", hint=ANSWERS["model"])
        found.append(FoundModel(path, format_at(root, path) or ""))
    return tuple(found)


def _runtime(model: FoundModel, requirements: Sequence[str], questions: Questions) -> str | None:
    """The one library that serves the format and is required; None where the format is not known yet."""
    if not model.format:
        return None
    fitting = candidates(RUNTIMES, ModelInfo(format=model.format, files=()), requirements)
    if len(fitting) > 1:
        questions.ask("runtime", f"{model.path} ({model.format}) may be served by {' or '.join(fitting)}")
    return fitting[0] if fitting else None


def _tokens(root: Path, model: FoundModel, in_code: Limit | None) -> Limit | None:
    """Tokens of the longest text: what the code cuts at, else what the model's own files say."""
    if model.format not in _TEXT_FORMATS:
        return None
    stated = stated_tokens(root / model.path)
    if in_code is not None or stated is None:
        return in_code
    return Limit(stated[0], f"{model.path}/{stated[1]}")
