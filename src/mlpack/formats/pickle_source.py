"""Bytes of a pickle in order: from a window of a file, where payloads are passed over, or unpacked up to a bound."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from mlpack.formats.reading import failed
from mlpack.formats.window import Window
from mlpack.units import KIB

CHUNK_BYTES = 64 * KIB
NEWLINE = 0x0A


class Ended(Exception):
    """The bytes that may be unpacked are used up: what was seen until then is true, the rest unknown."""


class Source(Protocol):
    """Something to read forward in."""

    path: Path

    def read(self, count: int) -> bytes:
        """At most ``count`` bytes, none at the end."""

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes. Raises ModelFileError or Ended where there are fewer."""


class Stored:
    """A window of a file, read forward."""

    def __init__(self, window: Window, place: int = 0) -> None:
        self.path, self._window, self.place = window.path, window, place

    def read(self, count: int) -> bytes:
        """The next bytes."""
        found = self._window.at(self.place, min(count, self._window.size - self.place))
        self.place += len(found)
        return found

    def skip(self, count: int) -> None:
        """Pass over bytes without reading them."""
        self._window.check(self.place, count)
        self.place += count


class Unpacked:
    """What ``unpack`` (a function that gives the next piece, empty at the end) yields, for at most ``most`` bytes."""

    def __init__(self, path: Path, unpack: Callable[[int], bytes], most: int) -> None:
        self.path, self._unpack, self._left = path, unpack, most

    def read(self, count: int) -> bytes:
        """The next bytes. Raises Ended at the bound."""
        if self._left <= 0:
            raise Ended
        found = self._unpack(min(count, self._left))
        self._left -= len(found)
        return found

    def skip(self, count: int) -> None:
        """Unpack and drop ``count`` bytes; where the bound lies before their end, at once Ended."""
        if count > self._left:
            raise Ended
        while count > 0:
            found = self.read(min(count, CHUNK_BYTES))
            if not found:
                raise failed(self.path, "is truncated: its pickle ends in the middle", "fetch it again")
            count -= len(found)


class Cursor:
    """Numbers, strings and payloads from a source, through a chunk in hand."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.path = source.path
        self._chunk, self._at, self._before = b"", 0, 0

    @property
    def position(self) -> int:
        """Bytes passed so far."""
        return self._before + self._at

    def byte(self) -> int:
        """The next byte: what a walk asks for most often by far. Raises ModelFileError at the end."""
        at = self._at
        if at >= len(self._chunk):
            self._refill(1)
            at = 0
        self._at = at + 1
        return self._chunk[at]

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes (at most a few KiB: the caller bounds them). Raises ModelFileError at the end."""
        end = self._at + count
        if end > len(self._chunk):
            self._refill(count)
            end = count
        found = self._chunk[self._at : end]
        self._at = end
        return found

    def ahead(self, count: int) -> bytes:
        """The next ``count`` bytes, which stay to be taken. Raises ModelFileError at the end."""
        if self._at + count > len(self._chunk):
            self._refill(count)
        return self._chunk[self._at : self._at + count]

    def skip(self, count: int) -> None:
        """Pass over a payload."""
        in_hand = len(self._chunk) - self._at
        if count <= in_hand:
            self._at += count
            return
        self._before += self._at + count
        self._chunk, self._at = b"", 0
        self.source.skip(count - in_hand)

    def line(self, most: int = 4 * KIB) -> bytes:
        """Bytes up to the next newline, which is passed over."""
        found = bytearray()
        while (byte := self.byte()) != NEWLINE:
            found.append(byte)
            if len(found) > most:
                raise failed(self.path, f"has a line of more than {most:,} bytes in its pickle", "it is damaged")
        return bytes(found)

    def _refill(self, count: int) -> None:
        pieces = [self._chunk[self._at :]]
        missing = count - len(pieces[0])
        while missing > 0:
            piece = self.source.read(max(CHUNK_BYTES, missing))
            if not piece:
                raise failed(self.path, "is truncated: its pickle ends in the middle", "fetch it again")
            pieces.append(piece)
            missing -= len(piece)
        self._before += self._at
        self._chunk, self._at = b"".join(pieces), 0
