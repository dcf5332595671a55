"""Protocol buffers on the wire: fields of a message one after another, payloads passed over until they are asked for.

Wire types: 0 varint, 1 eight bytes, 2 a length and bytes, 5 four bytes; groups (3, 4) are not used by any format here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mlpack.errors import ModelFileError
from mlpack.formats.reading import failed
from mlpack.formats.window import Window
from mlpack.units import KIB

CHUNK_BYTES = 4 * KIB
MOST_FIELDS = 2_000_000
"""Fields of one file that are looked at; a graph of 50,000 operations has a million."""
VARINT_BYTES = 10
DAMAGED = "the file is damaged"


class Field(NamedTuple):
    """One field: ``value`` of a number; ``place`` and ``size`` of bytes in the window that was walked."""

    number: int
    wire: int
    value: int
    place: int
    size: int


class Walker:
    """Walks messages of one file and counts the fields it saw, so that no file can keep it busy for long."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.left = MOST_FIELDS

    def fields(self, place: int, size: int) -> Iterator[Field]:
        """The fields of the message of ``size`` bytes at ``place``. Raises ModelFileError where it is none."""
        window, end = self.window, place + size
        window.check(place, size)
        chunk, base = b"", place
        while place < end:
            self.left -= 1
            if self.left < 0:
                raise failed(window.path, f"has more than {MOST_FIELDS:,} fields", DAMAGED)
            at = place - base
            if at < 0 or len(chunk) - at < 2 * VARINT_BYTES < end - base - at + 2 * VARINT_BYTES:
                chunk, base, at = window.at(place, min(CHUNK_BYTES, end - place)), place, 0
            key, at = self._varint(chunk, at)
            number, wire = key >> 3, key & 7
            if wire == 2:
                length, at = self._varint(chunk, at)
                start = base + at
                place = start + length
                yield self._within(Field(number, 2, 0, start, length), end)
            elif wire == 0:
                value, at = self._varint(chunk, at)
                place = base + at
                yield Field(number, 0, value, 0, 0)
            elif wire in {1, 5}:
                start, length = base + at, 8 if wire == 1 else 4
                place = start + length
                yield self._within(Field(number, wire, 0, start, length), end)
            else:
                raise self._damaged()

    def varints(self, field: Field) -> list[int]:
        """The numbers of a repeated field, packed or one by one, as unsigned 64-bit values; 64 at most."""
        if field.wire == 0:
            return [field.value]
        if field.size > 64 * VARINT_BYTES:
            raise self._damaged()
        data, at, found = self.content(field), 0, []
        while at < len(data):
            value, at = self._varint(data, at)
            found.append(value)
        return found

    def content(self, field: Field, most: int = 64 * KIB) -> bytes:
        """The bytes of a field. Raises ModelFileError where they are more than ``most``."""
        if field.wire != 2 or field.size > most:
            raise self._damaged()
        return self.window.at(field.place, field.size)

    def text(self, field: Field, most: int = 4 * KIB) -> str:
        """A string."""
        return self.content(field, most).decode("utf-8", errors="replace")

    def message(self, field: Field) -> Iterator[Field]:
        """The fields of an embedded message."""
        if field.wire != 2:
            raise self._damaged()
        return self.fields(field.place, field.size)

    def _varint(self, chunk: bytes, at: int) -> tuple[int, int]:
        try:
            byte = chunk[at]
            if byte < 0x80:
                return byte, at + 1
            value, shift = byte & 0x7F, 7
            for place in range(at + 1, at + VARINT_BYTES):
                byte = chunk[place]
                value |= (byte & 0x7F) << shift
                if byte < 0x80:
                    return value & 0xFFFF_FFFF_FFFF_FFFF, place + 1
                shift += 7
        except IndexError:
            pass
        raise self._damaged()

    def _within(self, field: Field, end: int) -> Field:
        if field.place + field.size > end:
            if end == self.window.size:
                what = f"is truncated: a part of {field.size:,} bytes at byte {field.place:,} goes beyond its end"
                raise failed(self.window.path, what, "fetch it again")
            raise self._damaged()
        return field

    def _damaged(self) -> ModelFileError:
        return failed(self.window.path, "is not built as a protocol buffer is", "check what was downloaded")
