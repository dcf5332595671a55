"""Model files: ``inspect`` says what a file or folder is by its header alone; one module per format."""

from __future__ import annotations

from pathlib import Path

from mlpack.formats import (
    checkpoint,
    gguf,
    hdf5,
    joblib,
    keras,
    lightgbm,
    onnx,
    pickles,
    pytorch,
    safetensors,
    savedmodel,
    transformers,
    xgboost,
)
from mlpack.formats.base import Format
from mlpack.formats.detect import format_of
from mlpack.formats.reading import system_errors
from mlpack.model import ModelInfo

FORMATS: dict[str, Format] = {
    "safetensors": safetensors,
    "transformers": transformers,
    "gguf": gguf,
    "lightgbm": lightgbm,
    "xgboost": xgboost,
    "keras": keras,
    "hdf5": hdf5,
    "onnx": onnx,
    "pytorch": pytorch,
    "joblib": joblib,
    "pickle": pickles,
    "savedmodel": savedmodel,
    "checkpoint": checkpoint,
}


def inspect(path: Path, *, root: Path | None = None) -> ModelInfo:
    """What the model at ``path`` says of itself. Reads headers, in bounded memory, and runs nothing.

    Files are named relative to ``root`` (the project); without one relative to the folder asked for, or the file's own.
    Raises ModelFileError: missing, empty, truncated, not what its name says, ambiguous, unreadable.
    """
    variant, found = format_of(FORMATS, path)
    with system_errors(path):
        info = variant.read(found)
    base = root if root is not None else (path if path.is_dir() else path.parent)
    files = tuple(file.model_copy(update={"path": _relative(file.path, base)}) for file in info.files)
    return info.model_copy(update={"files": files})


def _relative(name: str, base: Path) -> str:
    path = Path(name)
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()
