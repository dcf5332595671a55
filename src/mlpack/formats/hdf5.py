"""HDF5 weights and models of Keras 2 (.h5). Size only, so far."""

from __future__ import annotations

from pathlib import Path

from mlpack.formats.base import FormatFacts
from mlpack.formats.reading import failed, head_of, size_only
from mlpack.model import ModelInfo

FACTS = FormatFacts("hdf5", (".h5", ".hdf5"))
MAGIC = b"\x89HDF\r\n\x1a\n"


def matches(path: Path, head: bytes) -> bool:  # noqa: ARG001 - the mark is enough
    """HDF5's signature."""
    return head.startswith(MAGIC)


def read(path: Path) -> ModelInfo:
    """The file's size."""
    if not head_of(path).startswith(MAGIC):
        raise failed(path, "is not an HDF5 file: its signature is missing", "check what was downloaded")
    return size_only(FACTS.name, [path], "the HDF5 header")
