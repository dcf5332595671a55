"""``write_spec``: a Detected project as a commented mlpack.yaml that loads."""

from __future__ import annotations

import os
from pathlib import Path

from mlpack.config import load_text
from mlpack.errors import MlpackError, UsageError
from mlpack.init.detected import SERVICE, Detected, DetectedModel
from mlpack.project import SPEC_FILE
from mlpack.render.templates import render_template
from mlpack.units import GIB, KIB, MIB


def spec_text(detected: Detected) -> str:
    """mlpack.yaml's text. Raises SpecError where an answer of the user cannot be meant."""
    text = render_template("init/mlpack.yaml.j2", _view(detected))
    load_text(text.encode("utf-8"), SPEC_FILE)
    return text


def write_spec(root: Path, detected: Detected, *, force: bool = False) -> Path:
    """Write mlpack.yaml into ``root`` and return its path.

    Raises UsageError where another one is there and ``force`` is not given, MlpackError where it cannot be written.
    """
    text = spec_text(detected)
    path = root / SPEC_FILE
    if os.path.lexists(path) and not force:
        if path.is_file() and path.read_bytes() == text.encode("utf-8"):
            return path
        raise UsageError(f"there is a {SPEC_FILE} already", where=str(path), hint="--force replaces it")
    part = path.with_name(f".{SPEC_FILE}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        reason = (error.strerror or type(error).__name__).lower()
        raise MlpackError(f"cannot write it: {reason}", where=str(path), hint="is there room, and may you?") from error
    return path


def _view(detected: Detected) -> dict[str, object]:
    """The template's values: rows of key, value and why."""
    kind = "conda" if detected.requirements.endswith((".yml", ".yaml")) else "requirements"
    service = [
        ("server", detected.server),
        ("app", detected.app),
        ("interface", detected.interface),
        ("endpoint", detected.endpoint),
        ("port", detected.port),
        ("health", detected.health),
        ("max_body", None if detected.max_body_bytes is None else size(detected.max_body_bytes)),
        ("models", [model.name for model in detected.models] or None),
    ]
    return {
        "name": detected.name,
        "build": {"python": detected.python, kind: detected.requirements},
        "build_why": detected.why.get("python", ""),
        "models": [_model(model) for model in detected.models],
        "service": SERVICE,
        "rows": [
            {"key": key, "value": value, "why": detected.why.get(key, "")}
            for key, value in service
            if value is not None
        ],
        "env": [{"key": key, "value": {"from": f"{of}.{fact}"}} for key, (of, fact) in detected.env.items()],
        "also_reads": ", ".join(detected.also_reads),
        "post": detected.post_path or "/predict",
    }


def _model(model: DetectedModel) -> dict[str, object]:
    rows = [("path", model.path), ("hub", model.hub), ("runtime", model.runtime)]
    largest = {key: value for key, value in (("tokens", model.tokens), ("batch", model.batch)) if value is not None}
    return {
        "name": model.name,
        "rows": [{"key": key, "value": value} for key, value in rows if value is not None],
        "max_input": largest,
        "why": model.why or "",
    }


def size(count: int) -> int | str:
    """``count`` bytes as people write them, where that is exact: ``8M``."""
    for unit, letter in ((GIB, "G"), (MIB, "M"), (KIB, "K")):
        if count % unit == 0:
            return f"{count // unit}{letter}"
    return count
