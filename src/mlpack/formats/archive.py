"""Zip archives that models come in: told apart by their first entry, and checked for their end."""

from __future__ import annotations

from pathlib import Path

from mlpack.formats.reading import failed, opened
from mlpack.units import KIB

MAGIC = b"PK\x03\x04"
END_MAGIC = b"PK\x05\x06"
END_BYTES = 22 + 64 * KIB
"""The end-of-directory record and the longest comment after it."""


def first_entry(head: bytes) -> str | None:
    """Name of the first file in an archive that begins with ``head``; None where it is no zip archive."""
    if not head.startswith(MAGIC) or len(head) < 30:
        return None
    length = int.from_bytes(head[26:28], "little")
    return head[30 : 30 + length].decode("utf-8", errors="replace")


def check_end(path: Path) -> None:
    """Raise ModelFileError where the archive's directory is missing: the file was cut off, or is none."""
    with opened(path) as (file, size):
        if file.read(len(MAGIC)) != MAGIC:
            raise failed(path, "is not a zip archive, though its name says so", "check what was downloaded")
        file.seek(max(0, size - END_BYTES))
        if END_MAGIC not in file.read(END_BYTES):
            raise failed(path, "is truncated: the zip archive has no directory at its end", "fetch it again")
