"""Compressed files: recognised by their marks; looked into, and counted, as far as a bound and in bounded memory."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
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
READ_BYTES = 4 * KIB
PIECE_BYTES = MIB
SLOW_BYTES = 6 * MIB
COUNTED_BYTES = {"zlib": 48 * MIB, "gzip": 48 * MIB}
"""Unpacked at most, in about 0.2 s: zlib yields 320 MiB/s here, bz2 and xz 30 to 50. What follows is extrapolated."""


@dataclass(frozen=True)
class Inside:
    """Bytes inside a compressed file: ``exact`` where all of it was unpacked, else in proportion to what was."""

    bytes: int
    exact: bool


def packing(head: bytes) -> str | None:
    """How a file that begins with ``head`` is compressed; None where it is not."""
    return next((name for mark, name in MARKS.items() if head.startswith(mark)), None)


class Unpacking:
    """One pass through a compressed file: its beginning as a source to walk, then the rest to be counted."""

    def __init__(self, window: Window, kind: str) -> None:
        self._window, self._kind, self._total = window, kind, 0
        self._stored = Stored(window)
        self._next = _stream(self._stored, kind)

    def source(self) -> Source | None:
        """The first ``UNPACKED_BYTES`` inside; None for lz4, which Python's own library cannot read."""
        return None if self._next is None else Unpacked(self._window.path, self._following, UNPACKED_BYTES)

    def inside(self) -> Inside | None:
        """How many bytes are inside, by unpacking piece by piece and keeping none; None for lz4.

        Beyond ``COUNTED_BYTES`` of the kind the rest is taken to be as dense; None also where so many came from so
        little that nothing can be said of the rest. Raises ModelFileError where the stream is damaged.
        """
        if self._next is None:
            return None
        most = COUNTED_BYTES.get(self._kind, SLOW_BYTES)
        while self._total < most:
            if not self._following(PIECE_BYTES):
                return Inside(self._total, exact=True)
        used = self._stored.place - READ_BYTES  # of the last piece any part may be waiting in the decompressor
        return Inside(round(self._total * self._window.size / used), exact=False) if used > 0 else None

    def _following(self, count: int) -> bytes:
        assert self._next is not None
        found = self._next(count)
        self._total += len(found)
        return found


def _stream(source: Stored, kind: str) -> Callable[[int], bytes] | None:
    """What gives the next piece inside, never more than asked for; empty at the end."""
    if kind == "lz4":
        return None
    if kind in {"zlib", "gzip"}:
        stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        return _zlib(source, stream.decompress, lambda: stream.unconsumed_tail)
    if kind == "bz2":
        return _fed(source, bz2.BZ2Decompressor())
    return _fed(source, lzma.LZMADecompressor(memlimit=MEMORY_BYTES))


def _zlib(source: Stored, unpack: Callable[[bytes, int], bytes], rest: Callable[[], bytes]) -> Callable[[int], bytes]:
    """The next piece of a zlib stream, never more than asked for."""

    def following(count: int) -> bytes:
        while True:
            data = rest() or source.read(READ_BYTES)
            if not data:
                return b""
            try:
                found = unpack(data, count)
            except zlib.error as error:
                raise _damaged(source.path, error) from error
            if found:
                return found

    return following


def _fed(source: Stored, stream: bz2.BZ2Decompressor | lzma.LZMADecompressor) -> Callable[[int], bytes]:
    """The next piece of a bzip2 or LZMA stream, never more than asked for."""

    def following(count: int) -> bytes:
        while not stream.eof:
            data = source.read(READ_BYTES) if stream.needs_input else b""
            if not data and stream.needs_input:
                return b""
            try:
                found = stream.decompress(data, count)
            except (OSError, lzma.LZMAError, EOFError, ValueError) as error:
                raise _damaged(source.path, error) from error
            if found:
                return found
        return b""

    return following


def _damaged(path: Path, error: Exception) -> Exception:
    return failed(path, f"cannot be unpacked: {error}", "fetch it again")
