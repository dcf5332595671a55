"""TensorFlow's SavedModel: a folder with a graph and its variables. Sizes only, so far."""

from __future__ import annotations

from pathlib import Path

from mlpack.formats.base import FormatFacts
from mlpack.formats.reading import failed, size_only, system_errors
from mlpack.model import ModelInfo

FACTS = FormatFacts("savedmodel", (), folder=True)
MOST_FILES = 10_000


def matches(path: Path, head: bytes) -> bool:  # noqa: ARG001 - a folder has no first bytes
    """A folder with saved_model.pb."""
    return (path / "saved_model.pb").is_file()


def read(path: Path) -> ModelInfo:
    """Graph and variables. A graph without variables is whole: its weights are constants."""
    variables = path / "variables"
    files = [path / "saved_model.pb"]
    if variables.is_dir():
        with system_errors(variables):
            found = sorted(file for file in variables.iterdir() if file.name.startswith("variables."))
        shards = [file for file in found if ".data-" in file.name]
        if not (variables / "variables.index").is_file() or not shards:
            raise failed(path, "has a variables folder without variables.index or data", "fetch the model again")
        if len(shards) > MOST_FILES:
            raise failed(path, f"has {len(shards):,} files of variables")
        files += found
    return size_only(FACTS.name, files, "the variables index")
