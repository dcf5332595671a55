"""Plain pickles (.pkl): only recognised and sized. Reading one means running it, which mlpack never does."""

from __future__ import annotations

from pathlib import Path

from mlpack.formats.base import FormatFacts
from mlpack.formats.reading import failed, head_of, size_only
from mlpack.model import ModelInfo

FACTS = FormatFacts("pickle", (".pkl", ".pickle"))
PROTOCOLS = range(2, 6)
COMPRESSED = (
    b"\x78\x01",
    b"\x78\x5e",
    b"\x78\x9c",
    b"\x78\xda",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"\x5d\x00\x00",
    b"\x04\x22\x4d\x18",
)
"""zlib (four levels), gzip, bzip2, xz, lzma, lz4: what joblib writes and reads (joblib/numpy_pickle_utils.py)."""


def is_pickle(head: bytes) -> bool:
    """``head`` begins with the protocol mark of versions 2 to 5."""
    return len(head) > 1 and head[0] == 0x80 and head[1] in PROTOCOLS


def matches(path: Path, head: bytes) -> bool:  # noqa: ARG001 - see below
    """Never: many formats are pickles, the suffix decides."""
    return False


def read(path: Path) -> ModelInfo:
    """The file's size, and whether it is compressed."""
    head = head_of(path)
    compressed = head.startswith(COMPRESSED)
    if not compressed and not is_pickle(head):
        raise failed(path, "is not a pickle of protocol 2 to 5", "check what was downloaded")
    return size_only(FACTS.name, [path], "the pickle", compressed=compressed)
