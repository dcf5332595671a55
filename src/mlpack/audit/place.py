"""Where something is written, and what is written there: the two small values that all of audit rests on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Place:
    """A line of a file, 1-based; ``file`` as the user named it, or below the folder that he named."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Said:
    """A piece of text and its place."""

    text: str
    place: Place
