"""Walks a GGUF header once, front to back, in constant memory: metadata values that size a model, and tensor infos."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import BinaryIO

from mlpack.formats.gguf_types import ARRAY, SCALARS, STRING
from mlpack.formats.reading import exactly, failed
from mlpack.units import MIB, show_bytes

HEADER_BYTES = 64 * MIB
"""The longest header that is walked; a vocabulary of 260,000 words takes 10 MiB."""
KEPT_BYTES = 256
"""Longer strings are passed over: names and types are short."""
KEPT_ITEMS = 1024
"""Longer arrays are only counted: sizes per layer are short, vocabularies long."""
MOST_TENSORS = 65_536
"""Tensors, and metadata values; models of a trillion parameters have some thousands."""
MOST_KEPT_ITEMS = 100_000
"""Items of all kept arrays together."""
MOST_DIMENSIONS = 4
CHUNK_BYTES = MIB
_LENGTH = struct.Struct("<Q")
Value = int | float | bool | str | list[int]


@dataclass(slots=True)
class TensorInfo:
    """One tensor: elements, ggml type, and where its data begins after the header."""

    name: str
    parameters: int
    type: int
    offset: int


@dataclass
class Header:
    """What the header says. ``counts``: length of every array; ``data_start``: first byte after the header."""

    values: dict[str, Value] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    tensors: list[TensorInfo] = field(default_factory=list)
    data_start: int = 0
    sha256: str = ""
    kept_items: int = 0


class Cursor:
    """Reads forward through a file of ``size`` bytes, never past it nor past HEADER_BYTES, hashing all it passes."""

    def __init__(self, file: BinaryIO, size: int, path: Path) -> None:
        self.path = path
        self._file, self._size = file, size
        self._digest = hashlib.sha256()
        self._chunk, self._at, self._before = b"", 0, 0  # bytes in hand, place in them, file position of their start

    @property
    def position(self) -> int:
        """Bytes passed so far."""
        return self._before + self._at

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes. Raises ModelFileError where the file or the bound ends before."""
        if self._at + count > len(self._chunk):
            self._refill(count)
        found = self._chunk[self._at : self._at + count]
        self._at += count
        return found

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes in pieces."""
        self._check(count)
        while count > 0:
            piece = min(count, CHUNK_BYTES)
            self.take(piece)
            count -= piece

    def skip_strings(self, count: int) -> None:
        """Pass over ``count`` strings, each a length and so many bytes: the vocabulary, most of every header."""
        self._check(8 * count)
        for _ in range(count):
            if self._at + 8 > len(self._chunk):
                self._refill(8)
            end = self._at + 8 + _LENGTH.unpack_from(self._chunk, self._at)[0]
            if end > len(self._chunk):
                self.skip(self.u64())
            else:
                self._at = end

    def sha256(self) -> str:
        """Hash of everything passed so far."""
        digest = self._digest.copy()
        digest.update(self._chunk[: self._at])
        return digest.hexdigest()

    def _check(self, count: int) -> None:
        end = self.position + count
        if end > self._size:
            what = f"is truncated: its header goes on to byte {end:,}, the file has {self._size:,}"
            raise failed(self.path, what, "fetch it again")
        if end > HEADER_BYTES:
            raise failed(self.path, f"has a header longer than {show_bytes(HEADER_BYTES)}", "the file is damaged")

    def _refill(self, count: int) -> None:
        """Bring at least ``count`` bytes into hand; what was passed is hashed and dropped."""
        self._check(count)
        self._digest.update(self._chunk[: self._at])
        rest = self._chunk[self._at :]
        self._before += self._at
        wanted = min(max(CHUNK_BYTES, count), self._size - self._before) - len(rest)
        self._chunk, self._at = rest + exactly(self._file, wanted, self.path), 0

    def u32(self) -> int:
        """An unsigned 32-bit number."""
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        """An unsigned 64-bit number."""
        return int.from_bytes(self.take(8), "little")

    def text(self) -> str | None:
        """A string; None where it is longer than KEPT_BYTES."""
        length = self.u64()
        if length > KEPT_BYTES:
            self.skip(length)
            return None
        return self.take(length).decode("utf-8", errors="replace")


def read_header(file: BinaryIO, size: int, path: Path) -> Header:
    """The header of the GGUF file ``path`` (versions 2 and 3, little-endian). Raises ModelFileError."""
    cursor = Cursor(file, size, path)
    if cursor.take(4) != b"GGUF":
        raise failed(path, "is not a GGUF file: it does not begin with GGUF", "check what was downloaded")
    version = cursor.u32()
    if version not in {2, 3}:
        kind = "big-endian" if version in {2 << 24, 3 << 24} else f"version {version}"
        raise failed(path, f"is a {kind} GGUF file; versions 2 and 3, little-endian, are read", "convert it anew")
    tensors, pairs = cursor.u64(), cursor.u64()
    if tensors > MOST_TENSORS or pairs > MOST_TENSORS:
        raise failed(path, f"claims {tensors:,} tensors and {pairs:,} metadata values", "the file is damaged")
    header = Header()
    for _ in range(pairs):
        _read_pair(cursor, header)
    header.tensors = list(_tensor_infos(cursor, tensors))
    alignment = header.values.get("general.alignment", 32)
    if type(alignment) is not int or not 0 < alignment <= MIB:
        raise failed(path, f"has an alignment of {alignment!r}", "the file is damaged")
    header.data_start = -(-cursor.position // alignment) * alignment
    header.sha256 = cursor.sha256()
    return header


def _read_pair(cursor: Cursor, header: Header) -> None:
    key = cursor.text()
    kind = cursor.u32()
    value = _array(cursor, header, key) if kind == ARRAY else _value(cursor, kind)
    if key is None or value is None:
        return
    if key in header.values:
        raise failed(cursor.path, f"has metadata {key!r} twice", "the file is damaged")
    header.values[key] = value


def _value(cursor: Cursor, kind: int) -> Value | None:
    if kind == STRING:
        return cursor.text()
    layout = SCALARS.get(kind)
    if layout is None:
        raise failed(
            cursor.path, f"has metadata of an unknown type {kind}", "the file is damaged, or newer than mlpack"
        )
    found: Value = struct.unpack(layout, cursor.take(struct.calcsize(layout)))[0]
    return found


def _array(cursor: Cursor, header: Header, key: str | None) -> Value | None:
    """An array: short ones of whole numbers and of truth values are kept, others counted and passed over.

    Arrays of arrays do not occur.
    """
    kind, count = cursor.u32(), cursor.u64()
    if key is not None:
        header.counts[key] = count
    if kind == STRING:
        cursor.skip_strings(count)
        return None
    layout = SCALARS.get(kind)
    if layout is None:
        raise failed(
            cursor.path, f"has an array of an unknown type {kind}", "the file is damaged, or newer than mlpack"
        )
    width = struct.calcsize(layout)
    header.kept_items += count
    if count > KEPT_ITEMS or layout[1] in "fd" or header.kept_items > MOST_KEPT_ITEMS:
        cursor.skip(count * width)
        return None
    return [item[0] for item in struct.iter_unpack(layout, cursor.take(count * width))]


def _tensor_infos(cursor: Cursor, count: int) -> Iterator[TensorInfo]:
    for _ in range(count):
        name = cursor.text()
        dimensions = cursor.u32()
        if name is None or dimensions > MOST_DIMENSIONS:
            raise failed(cursor.path, f"describes a tensor of {dimensions} dimensions", "the file is damaged")
        shape = [cursor.u64() for _ in range(dimensions)]
        yield TensorInfo(name, prod(shape), cursor.u32(), cursor.u64())
