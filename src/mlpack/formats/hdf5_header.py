"""HDF5's object headers: what an object is (group or dataset), by its messages. File format specification, version 3.0.

Read are superblocks 0 to 3, object headers 1 and 2, symbol tables and compact links: what h5py and Keras write.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from mlpack.errors import ModelFileError
from mlpack.formats.reading import failed
from mlpack.formats.window import Window

MAGIC = b"\x89HDF\r\n\x1a\n"
MOST_MESSAGES = 10_000
MOST_DIMENSIONS = 32
DATASPACE, LINK_INFO, DATATYPE, LINK, LAYOUT, FILTERS, CONTINUATION, SYMBOL_TABLE = 1, 2, 3, 6, 8, 11, 16, 17
FIXED, FLOATING, OPAQUE, ENUMERATED = 0, 1, 5, 8
SHARED = 2
FLOATS = {2: "F16", 4: "F32", 8: "F64"}


class Message(NamedTuple):
    """One message of an object header."""

    kind: int
    flags: int
    data: bytes


@dataclass
class Object:
    """A group has a symbol table or links, a dataset a shape and a type of ``width`` bytes. No dtype: no number."""

    symbols: tuple[int, int] | None = None
    links: list[tuple[str, int]] = field(default_factory=list)
    dense: bool = False
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    width: int = 0
    filtered: bool = False
    data: tuple[int, int] | None = None
    """Place and bytes of data that lies in one piece."""


class File:
    """The widths of addresses and lengths, and where the root group is. All places are relative to ``base``."""

    def __init__(self, window: Window) -> None:
        self.window = window
        if window.size < 48 or window.at(0, 8) != MAGIC:
            raise failed(window.path, "is not an HDF5 file: its signature is missing", "check what was downloaded")
        version = window.at(8, 1)[0]
        if version not in {0, 1, 2, 3}:
            raise failed(window.path, f"is an HDF5 file of an unknown version {version}", "it is damaged, or too new")
        widths = 13 if version < 2 else 9
        self.offset_bytes, self.length_bytes = window.at(widths, 2)
        if self.offset_bytes not in {4, 8} or self.length_bytes not in {4, 8}:
            raise self.damaged(f"addresses of {self.offset_bytes} bytes")
        width = self.offset_bytes
        start = {0: 24, 1: 28, 2: 12, 3: 12}[version]
        self.base = window.number(start, width)
        end = window.number(start + 2 * width, width)
        root = start + 5 * width if version < 2 else start + 3 * width
        self.root = window.number(root, width)
        if self.base + end > window.size:
            what = f"is truncated: its data end at byte {self.base + end:,}, it has {window.size:,}"
            raise failed(window.path, what, "fetch it again")

    def damaged(self, what: str) -> ModelFileError:
        """The error for a structure that cannot be."""
        return failed(self.window.path, f"is damaged inside: {what}", "fetch it again")

    def at(self, place: int, count: int) -> bytes:
        """``count`` bytes from address ``place``."""
        return self.window.at(self.base + place, count)

    def address(self, data: bytes, at: int) -> int:
        """The address at ``at`` in ``data``."""
        return int.from_bytes(data[at : at + self.offset_bytes], "little")

    def length(self, data: bytes, at: int) -> int:
        """The length at ``at`` in ``data``."""
        return int.from_bytes(data[at : at + self.length_bytes], "little")

    @property
    def undefined(self) -> int:
        """The address of what is not there."""
        return (1 << 8 * self.offset_bytes) - 1

    def object(self, place: int) -> Object:
        """The object whose header is at ``place``."""
        found = Object()
        for message in self.messages(place):
            if message.flags & SHARED and message.kind in {DATASPACE, DATATYPE}:
                found.dtype = None
                continue
            self._note(found, message)
        return found

    def messages(self, place: int) -> Iterator[Message]:
        """The messages of the header at ``place``. Raises ModelFileError."""
        head = self.at(place, 16)
        if head[:4] == b"OHDR":
            yield from self._new_messages(place, head[5])
            return
        if head[0] != 1:
            raise self.damaged(f"no object header at byte {place:,}")
        left = int.from_bytes(head[2:4], "little")
        pieces = [(place + 16, int.from_bytes(head[8:12], "little"))]
        while pieces and left > 0:
            at, size = pieces.pop(0)
            block, here = self.at(at, size), 0
            while here + 8 <= len(block) and left > 0:
                left -= 1
                kind, length = (
                    int.from_bytes(block[here : here + 2], "little"),
                    int.from_bytes(block[here + 2 : here + 4], "little"),
                )
                data = block[here + 8 : here + 8 + length]
                here += 8 + length
                if kind == CONTINUATION:
                    pieces.append((self.address(data, 0), self.length(data, self.offset_bytes)))
                else:
                    yield Message(kind, block[here - length - 4], data)

    def _new_messages(self, place: int, flags: int) -> Iterator[Message]:
        at = place + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        pieces = [(at + width, int.from_bytes(self.at(at, width), "little"))]
        head = 6 if flags & 4 else 4
        seen = 0
        while pieces:
            at, size = pieces.pop(0)
            block, here = self.at(at, size), 0
            while here + head <= len(block):
                seen += 1
                if seen > MOST_MESSAGES:
                    raise self.damaged(f"an object with more than {MOST_MESSAGES:,} messages")
                kind, length = block[here], int.from_bytes(block[here + 1 : here + 3], "little")
                data = block[here + head : here + head + length]
                if kind == CONTINUATION:  # framed by a mark and a checksum
                    pieces.append((self.address(data, 0) + 4, self.length(data, self.offset_bytes) - 8))
                else:
                    yield Message(kind, block[here + 3], data)
                here += head + length

    def _note(self, found: Object, message: Message) -> None:
        data = message.data
        if message.kind == SYMBOL_TABLE:
            found.symbols = (self.address(data, 0), self.address(data, self.offset_bytes))
        elif message.kind == LINK_INFO and len(data) > 1:
            heap = self.address(data, 10 if data[1] & 1 else 2)
            found.dense = found.dense or heap != self.undefined
        elif message.kind == LINK:
            self._link(found, data)
        elif message.kind == DATASPACE:
            found.shape = self._shape(data)
        elif message.kind == DATATYPE and len(data) >= 8:
            found.dtype, found.width = number_type(data)
        elif message.kind == FILTERS:
            found.filtered = True
        elif message.kind == LAYOUT and data[:2] == b"\x03\x01":
            found.data = (self.address(data, 2), self.length(data, 2 + self.offset_bytes))

    def _shape(self, data: bytes) -> tuple[int, ...] | None:
        """Sizes of a dataspace; None where it holds nothing."""
        if len(data) < 4:
            raise self.damaged("a dataspace without a rank")
        version, rank = data[0], data[1]
        if rank > MOST_DIMENSIONS:
            raise self.damaged(f"a dataset of {rank} dimensions")
        if version == 2 and data[3] == 2:
            return None
        start = 8 if version == 1 else 4
        return tuple(self.length(data, start + self.length_bytes * i) for i in range(rank))

    def _link(self, found: Object, data: bytes) -> None:
        if len(data) < 4:
            raise self.damaged("a link without a name")
        flags, at = data[1], 2
        kind = data[at] if flags & 8 else 0
        at += (1 if flags & 8 else 0) + (8 if flags & 4 else 0) + (1 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        length = int.from_bytes(data[at : at + width], "little")
        name = data[at + width : at + width + length].decode("utf-8", errors="replace")
        if kind == 0:
            found.links.append((name, self.address(data, at + width + length)))


def number_type(data: bytes) -> tuple[str | None, int]:
    """Dtype and bytes per element of a datatype message; None for text, records and references."""
    kind, width = data[0] & 0x0F, int.from_bytes(data[4:8], "little")
    if kind == FIXED and width in {1, 2, 4, 8}:
        return f"{'I' if data[1] & 8 else 'U'}{8 * width}", width
    if kind == FLOATING and width in FLOATS:
        exponent_bits = data[13] if len(data) > 13 else 0
        return "BF16" if width == 2 and exponent_bits == 8 else FLOATS[width], width
    if kind == ENUMERATED and width == 1:
        return "BOOL", 1
    return None, width
