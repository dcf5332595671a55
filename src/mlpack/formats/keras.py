"""Keras 3's .keras: a zip archive of metadata.json, config.json and HDF5 weights. Size only, so far."""

from __future__ import annotations

from pathlib import Path

from mlpack.formats import archive
from mlpack.formats.base import FormatFacts
from mlpack.formats.reading import size_only
from mlpack.model import ModelInfo

FACTS = FormatFacts("keras", (".keras",))
FIRST_ENTRY = "metadata.json"


def matches(path: Path, head: bytes) -> bool:  # noqa: ARG001 - the first entry is enough
    """A zip archive whose first entry is the one that Keras writes first."""
    return archive.first_entry(head) == FIRST_ENTRY


def read(path: Path) -> ModelInfo:
    """The archive's size."""
    archive.check_end(path)
    return size_only(FACTS.name, [path], "the .keras header")
