"""Compressed files: recognised by their marks; looked into, and counted, as far as a bound and in bounded memory."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path

from mlpack.formats.pickle_source import Source, Stored, Unpacked
from mlpack.formats.reading import failed
from mlpack.formats.window import Window
from mlpack.units import KIB, MIB

MARKS = {  # what joblib writes and reads (joblib/numpy_pickle_utils.py)
    b"\x78\x01": "zlib",
    b"\x78\x5e": "zlib",
    b"\x78\x9c": "zlib",
    b"\x78\xda": "zlib",
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ": "xz",
    b"\x5d\x00\x00": "lzma",
    b"\x04\x22\x4d\x18": "lz4",
}
UNPACKED_BYTES = 4 * MIB
"""Unpacked at most: enough for the names of classes, and for small models altogether."""
MEMORY_BYTES = 40 * MIB
"""The largest dictionary that an LZMA stream may ask for (presets up to 8 need 33 MiB)."""
READ_BYTES = 16 * KIB
PIECE_BYTES = MIB
SLOW_BYTES = 256 * MIB
COUNTED_BYTES = {"zlib": 2048 * MIB, "gzip": 2048 * MIB}
"""Counted at most: about 5 s of zlib (0.4 GB/s), and of the slower others."""


def packing(head: bytes) -> str | None:
    """How a file that begins with ``head`` is compressed; None where it is not."""
    return next((name for mark, name in MARKS.items() if head.startswith(mark)), None)


def unpacked(window: Window, kind: str) -> Source | None:
    """The first ``UNPACKED_BYTES`` inside; None for lz4, which Python's own library cannot read."""
    following = _stream(window, kind)
    return None if following is None else Unpacked(window.path, following, UNPACKED_BYTES)


def counted(window: Window, kind: str) -> int | None:
    """How many bytes are inside, by unpacking them piece by piece and keeping none.

    None for lz4, and where they are more than ``COUNTED_BYTES`` of the kind: a bomb, or a model for which counting
    would take longer than a few seconds. Raises ModelFileError where the stream is damaged.
    """
    following = _stream(window, kind)
    if following is None:
        return None
    total = 0
    while piece := following(PIECE_BYTES):
        total += len(piece)
        if total > COUNTED_BYTES.get(kind, SLOW_BYTES):
            return None
    return total


def _stream(window: Window, kind: str) -> Callable[[int], bytes] | None:
    """What gives the next piece inside, never more than asked for; empty at the end."""
    if kind == "lz4":
        return None
    if kind in {"zlib", "gzip"}:
        stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        return _zlib(window, stream.decompress, lambda: stream.unconsumed_tail)
    if kind == "bz2":
        return _fed(window, bz2.BZ2Decompressor())
    return _fed(window, lzma.LZMADecompressor(memlimit=MEMORY_BYTES))


def _zlib(window: Window, unpack: Callable[[bytes, int], bytes], rest: Callable[[], bytes]) -> Callable[[int], bytes]:
    """The next piece of a zlib stream, never more than asked for."""
    source = Stored(window)

    def following(count: int) -> bytes:
        while True:
            data = rest() or source.read(READ_BYTES)
            if not data:
                return b""
            try:
                found = unpack(data, count)
            except zlib.error as error:
                raise _damaged(window.path, error) from error
            if found:
                return found

    return following


def _fed(window: Window, stream: bz2.BZ2Decompressor | lzma.LZMADecompressor) -> Callable[[int], bytes]:
    """The next piece of a bzip2 or LZMA stream, never more than asked for."""
    source = Stored(window)

    def following(count: int) -> bytes:
        while not stream.eof:
            data = source.read(READ_BYTES) if stream.needs_input else b""
            if not data and stream.needs_input:
                return b""
            try:
                found = stream.decompress(data, count)
            except (OSError, lzma.LZMAError, EOFError, ValueError) as error:
                raise _damaged(window.path, error) from error
            if found:
                return found
        return b""

    return following


def _damaged(path: Path, error: Exception) -> Exception:
    return failed(path, f"cannot be unpacked: {error}", "fetch it again")
