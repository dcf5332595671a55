"""A piece of a file that is read at places: never outside it, never more than a bound, and in pages that are kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mlpack.formats.reading import exactly, failed, opened
from mlpack.units import KIB, MIB, show_bytes

PAGE_BYTES = 16 * KIB
KEPT_PAGES = 256
MOST_PAGES = 16_384
"""Pages that one model may make us read: 256 MiB. A header is a few; a damaged one may send us to and fro."""
AT_ONCE_BYTES = 16 * MIB
"""The longest single piece of a description."""


class Pages:
    """The pages of one open file, the last ``KEPT_PAGES`` of them kept."""

    def __init__(self, file: BinaryIO, size: int, path: Path) -> None:
        self.path, self._file, self._size = path, file, size
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._read = 0

    def bytes_at(self, start: int, count: int) -> bytes:
        """``count`` bytes from file position ``start``; the caller has checked that they lie in the file."""
        first, last = start // PAGE_BYTES, (start + count - 1) // PAGE_BYTES
        if first == last:
            inside = start - first * PAGE_BYTES
            return self._page(first)[inside : inside + count]
        if last - first < KEPT_PAGES // 4:
            joined = b"".join(self._page(number) for number in range(first, last + 1))
            inside = start - first * PAGE_BYTES
            return joined[inside : inside + count]
        self._charge(last - first + 1)
        self._file.seek(start)
        return exactly(self._file, count, self.path)

    def _page(self, number: int) -> bytes:
        page = self._kept.get(number)
        if page is not None:
            return page
        self._charge(1)
        start = number * PAGE_BYTES
        self._file.seek(start)
        page = exactly(self._file, min(PAGE_BYTES, self._size - start), self.path)
        self._kept[number] = page
        if len(self._kept) > KEPT_PAGES:
            self._kept.popitem(last=False)
        return page

    def _charge(self, pages: int) -> None:
        self._read += pages
        if self._read > MOST_PAGES:
            most = show_bytes(MOST_PAGES * PAGE_BYTES)
            raise failed(self.path, f"more than {most} of it describe tensors", "the file is damaged")


class Window:
    """``size`` bytes of a file from ``start``. Places are relative to the window; whatever lies outside is refused."""

    def __init__(self, pages: Pages, start: int, size: int) -> None:
        self.pages, self.start, self.size = pages, start, size

    @property
    def path(self) -> Path:
        """The file."""
        return self.pages.path

    def at(self, place: int, count: int) -> bytes:
        """``count`` bytes from ``place``. Raises ModelFileError where they are outside, or too many at once."""
        self.check(place, count)
        if count > AT_ONCE_BYTES:
            what = f"describes itself in one piece of {show_bytes(count)}, more than {show_bytes(AT_ONCE_BYTES)}"
            raise failed(self.path, what, "the file is damaged")
        return self.pages.bytes_at(self.start + place, count) if count else b""

    def check(self, place: int, count: int) -> None:
        """Raise ModelFileError unless ``count`` bytes from ``place`` lie inside."""
        if place < 0 or count < 0 or place + count > self.size:
            what = f"is truncated: bytes {place:,} to {place + count:,} are named, it has {self.size:,}"
            raise failed(self.path, what, "fetch it again")

    def number(self, place: int, width: int) -> int:
        """An unsigned little-endian number of ``width`` bytes."""
        return int.from_bytes(self.at(place, width), "little")

    def piece(self, place: int, size: int) -> Window:
        """A window into this one."""
        self.check(place, size)
        return Window(self.pages, self.start + place, size)


@contextmanager
def window(path: Path) -> Iterator[Window]:
    """The whole of the file ``path``, open while the context lasts. Raises what ``reading.opened`` raises."""
    with opened(path) as (file, size):
        yield Window(Pages(file, size, path), 0, size)
