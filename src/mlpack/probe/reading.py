"""Reading small text files of the outside world; a missing or closed file is an answer with its reason."""

from __future__ import annotations

from pathlib import Path

MOST_BYTES = 4 * 1024 * 1024
"""Enough for /proc/cpuinfo of a thousand cores; a file without an end (a device, a FIFO's writer) stops here."""


def read_text(path: Path) -> str | None:
    """The text of ``path`` (undecodable bytes replaced), or None when it cannot be read."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode(errors="replace")
    except (OSError, ValueError):
        return None


def why_unreadable(path: Path) -> str:
    """Why ``read_text`` gave nothing, in words: the system's own message."""
    try:
        with path.open("rb") as file:
            file.read(1)
    except (OSError, ValueError) as error:
        return f"{path}: {getattr(error, 'strerror', None) or error}"
    return f"{path}: not a readable text file"


def names_in(folder: Path) -> tuple[str, ...]:
    """Names in ``folder``, sorted; none when it is missing or closed."""
    try:
        return tuple(sorted(entry.name for entry in folder.iterdir()))
    except OSError:
        return ()
