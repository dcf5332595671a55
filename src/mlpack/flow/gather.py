"""Reads all that a plan needs from the project's folder: the spec, requirements, model headers, measurements."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from mlpack.config import LoadedSpec, load_spec
from mlpack.errors import MlpackError
from mlpack.flow.hub_cache import cached_model
from mlpack.flow.ollama_store import stored_model
from mlpack.footprint import FootprintFile
from mlpack.formats import inspect
from mlpack.model import ModelInfo
from mlpack.project import find_root, read_text, resolve
from mlpack.spec import Model, Spec

FOOTPRINT_NAME = "footprint.json"


@dataclass(frozen=True)
class Gathered:
    """What a project's files say. ``present`` maps each model to its header, None where its files are absent."""

    root: Path
    loaded: LoadedSpec
    present: Mapping[str, ModelInfo | None]
    requirements: Mapping[str, tuple[str, ...]]
    """Service -> lines of its requirements file."""
    measured: FootprintFile
    sources: tuple[str, ...]
    """Files of the project that rendering depends on, relative to the root."""

    @property
    def spec(self) -> Spec:
        """The spec, merged and checked."""
        return self.loaded.spec


def gather(project: Path, profiles: Sequence[str] = (), sets: Sequence[str] = ()) -> Gathered:
    """Read the project at or above ``project``. Raises SpecError, ModelFileError or MlpackError with the place."""
    root = find_root(project)
    loaded = load_spec(root, profiles, sets)
    files = {name: _requirements_file(loaded.spec, name) for name in loaded.spec.services}
    lines = {file: _lines(root, file) for file in set(files.values()) if file is not None}
    sources = {str(path.relative_to(root)) for path in loaded.sources if path.is_relative_to(root)} | set(lines)
    if (root / FOOTPRINT_NAME).exists():
        sources.add(FOOTPRINT_NAME)
    return Gathered(
        root=root,
        loaded=loaded,
        present={name: _header(root, model) for name, model in loaded.spec.models.items()},
        requirements={name: lines[file] for name, file in files.items() if file is not None},
        measured=read_footprints(root),
        sources=tuple(sorted(sources)),
    )


def read_footprints(root: Path) -> FootprintFile:
    """footprint.json of the project; empty where there is none. Raises MlpackError where it is damaged."""
    path = root / FOOTPRINT_NAME
    if not path.exists():
        return FootprintFile()
    try:
        return FootprintFile.model_validate_json(read_text(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise MlpackError(
            f"is not a footprint file: {first['msg']}",
            where=f"{path} {'.'.join(str(part) for part in first['loc'])}",
            hint="delete it, or measure again: mlpack estimate --measure",
        ) from error


def _requirements_file(spec: Spec, name: str) -> str | None:
    """The requirements file of a service that runs the project's code; its own build wins over the project's."""
    service = spec.services[name]
    if service.app is None:
        return None
    return service.build.requirements if service.build is not None else spec.build.requirements


def _lines(root: Path, file: str) -> tuple[str, ...]:
    """The requirements in ``file``, comments and blank lines left out."""
    texts = (line.split(" #")[0].strip() for line in read_text(resolve(root, file)).splitlines())
    return tuple(text for text in texts if text and not text.startswith("#"))


def _header(root: Path, model: Model) -> ModelInfo | None:
    """The header of a model's files; None where they are absent (the lock may speak for them).

    A model of a hub is read where the hub's client keeps it, its files named relative to that folder.
    """
    if model.path is None:
        folder = _on_hub(model.hub) if model.hub else None
        return inspect(folder) if folder is not None else None
    if not resolve(root, model.path).exists():
        return None
    return inspect(resolve(root, model.path), root=root)


def _on_hub(name: str) -> Path | None:
    """Where the hub's client, or Ollama, keeps model ``name`` on this machine."""
    return cached_model(name, os.environ) or stored_model(name, os.environ)
