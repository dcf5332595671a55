"""What a model format is: one module per format with these three members. Readers see headers only.

A reader never imports a framework, never unpickles, and takes memory bounded by ``reading.HEADER_BYTES``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mlpack.model import ModelInfo


@dataclass(frozen=True)
class FormatFacts:
    """How a format is recognised. ``suffixes`` are lower case with their dot; folders have none."""

    name: str
    suffixes: tuple[str, ...]
    folder: bool = False


class Format(Protocol):
    """A module of ``formats/``."""

    @property
    def FACTS(self) -> FormatFacts:  # noqa: N802 - a module's constant
        """Name and suffixes."""

    def matches(self, path: Path, head: bytes) -> bool:
        """Content says so: ``head`` (the file's first bytes) carries the format's mark, or the folder its files.

        False where the format has no mark; then the suffix decides.
        """

    def read(self, path: Path) -> ModelInfo:
        """The model at ``path`` by its header; files named by their full path. Raises ModelFileError."""
