"""Zip archives that models come in: their directory alone, in bounded memory; no entry is trusted for its size."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mlpack.formats.reading import failed
from mlpack.formats.window import Window
from mlpack.units import KIB, MIB, show_bytes

MAGIC = b"PK\x03\x04"
END = struct.Struct("<4s4H2LH")
END_BYTES = END.size + 64 * KIB
"""The end-of-directory record and the longest comment after it."""
LOCATOR = struct.Struct("<4sLQL")
END64 = struct.Struct("<4sQ2H2L4Q")
ENTRY = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")
WIDE = 0xFFFFFFFF
"""A size of this value is in the zip64 field instead."""
MOST_ENTRIES = 100_000
MOST_DIRECTORY_BYTES = 16 * MIB
CONTENT_BYTES = 16 * MIB
"""The longest entry that is unpacked: descriptions, never weights."""
STORED, DEFLATED = 0, 8
ENCRYPTED = 1
DAMAGED = "the archive is damaged: fetch it again"


class Entry(NamedTuple):
    """One file of an archive: ``packed`` bytes at the local header ``place``, ``size`` once unpacked, as it claims."""

    method: int
    packed: int
    size: int
    place: int


class Archive:
    """The directory of the zip archive in ``window``: name -> entry, in the directory's order."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.entries = dict(_entries(window))
        _check_places(window, self.entries)

    def data(self, name: str) -> Window:
        """The stored bytes of entry ``name``, as they lie in the file."""
        entry = self.entries[name]
        head = LOCAL.unpack(self.window.at(entry.place, LOCAL.size))
        if head[0] != MAGIC:
            raise failed(self.window.path, f"has no entry {name!r} where its directory says", DAMAGED)
        return self.window.piece(entry.place + LOCAL.size + head[9] + head[10], entry.packed)

    def content(self, name: str, most: int = CONTENT_BYTES) -> bytes:
        """Entry ``name`` unpacked. Raises ModelFileError where it has more than ``most`` bytes, claimed or real."""
        entry, data = self.entries[name], self.data(name)
        path = self.window.path
        if max(entry.size, entry.packed) > most:
            what = f"entry {name!r} claims {show_bytes(max(entry.size, entry.packed))}; a description has {most:,}"
            raise failed(path, f"{what} bytes at most", "it may be made to exhaust memory: do not load it")
        packed = data.at(0, data.size)
        if entry.method == STORED:
            return packed
        if entry.method != DEFLATED:
            raise failed(path, f"entry {name!r} is packed by method {entry.method}, which is not read")
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            found = unpacker.decompress(packed, entry.size + 1)
        except zlib.error as error:
            raise failed(path, f"entry {name!r} cannot be unpacked: {error}", DAMAGED) from error
        if len(found) != entry.size:
            what = f"entry {name!r} unpacks to other than the {entry.size:,} bytes that it claims"
            raise failed(path, what, "it is damaged, or made to exhaust memory: do not load it")
        return found


def first_entry(head: bytes) -> str | None:
    """Name of the first file in an archive that begins with ``head``; None where it is no zip archive."""
    if not head.startswith(MAGIC) or len(head) < LOCAL.size:
        return None
    length = int.from_bytes(head[26:28], "little")
    return head[30 : 30 + length].decode("utf-8", errors="replace")


def _entries(window: Window) -> Iterator[tuple[str, Entry]]:
    """Every entry of the directory. Raises ModelFileError: encrypted, damaged, named twice, or too many."""
    path = window.path
    place, count, length = _directory(window)
    if length > MOST_DIRECTORY_BYTES or count > MOST_ENTRIES:
        raise failed(path, f"claims {count:,} entries in {show_bytes(length)} of directory", DAMAGED)
    seen: set[str] = set()
    end = place + length
    for _ in range(count):
        fields = ENTRY.unpack(window.at(place, ENTRY.size))
        magic, flags, method = fields[0], fields[3], fields[4]
        packed, size, name_bytes, extra_bytes, note_bytes = fields[8:13]
        if magic != b"PK\x01\x02":
            raise failed(path, f"has a damaged directory at byte {place:,}", DAMAGED)
        name = window.at(place + ENTRY.size, name_bytes).decode("utf-8", errors="replace")
        if flags & ENCRYPTED:
            raise failed(path, f"is an encrypted archive ({name!r} needs a password)", "save it without encryption")
        if name in seen:
            raise failed(path, f"has entry {name!r} twice", DAMAGED)
        seen.add(name)
        at = fields[16]
        if WIDE in {packed, size, at}:
            extra = window.at(place + ENTRY.size + name_bytes, extra_bytes)
            size, packed, at = _wide(path, extra, size, packed, at)
        yield name, Entry(method, packed, size, at)
        place += ENTRY.size + name_bytes + extra_bytes + note_bytes
        if place > end:
            raise failed(path, "has a directory longer than it claims", DAMAGED)


def _directory(window: Window) -> tuple[int, int, int]:
    """Place, number of entries and length of the directory, from the record at the archive's end."""
    path = window.path
    if window.size < END.size or window.at(0, len(MAGIC)) != MAGIC:
        raise failed(path, "is not a zip archive, though its name says so", "check what was downloaded")
    tail_place = max(0, window.size - END_BYTES)
    tail = window.at(tail_place, window.size - tail_place)
    found = tail.rfind(b"PK\x05\x06", 0, len(tail) - END.size + 4)
    if found < 0:
        raise failed(path, "is truncated: the zip archive has no directory at its end", "fetch it again")
    fields = END.unpack_from(tail, found)
    count, length, place = fields[4], fields[5], fields[6]
    locator = tail_place + found - LOCATOR.size
    if WIDE in {length, place} or count == 0xFFFF:
        if locator < 0 or window.at(locator, 4) != b"PK\x06\x07":
            raise failed(path, "has no zip64 record, though its sizes need one", DAMAGED)
        wide = END64.unpack(window.at(LOCATOR.unpack(window.at(locator, LOCATOR.size))[2], END64.size))
        if wide[0] != b"PK\x06\x06":
            raise failed(path, "has no zip64 record where it says", DAMAGED)
        count, length, place = wide[7], wide[8], wide[9]
    window.check(place, length)
    return place, count, length


def _wide(path: Path, extra: bytes, size: int, packed: int, at: int) -> tuple[int, int, int]:
    """The three numbers with those that are too large for 32 bits taken from the zip64 field."""
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, place)
        if kind == 1:
            numbers = iter(n for (n,) in struct.iter_unpack("<Q", extra[place + 4 :][: length // 8 * 8]))
            found = [next(numbers, value) if value == WIDE else value for value in (size, packed, at)]
            return found[0], found[1], found[2]
        place += 4 + length
    raise failed(path, "has an entry without the zip64 field that its sizes need", DAMAGED)


def _check_places(window: Window, entries: dict[str, Entry]) -> None:
    """No entry outside the file, none over another: entries that share bytes are how archives are made to explode."""
    position = 0
    for entry in sorted(entries.values(), key=lambda entry: entry.place):
        window.check(entry.place, LOCAL.size + entry.packed)
        if entry.place < position:
            raise failed(window.path, f"has entries that overlap at byte {entry.place:,}", DAMAGED)
        position = entry.place + LOCAL.size + entry.packed
        if entry.method == STORED and entry.packed != entry.size:
            raise failed(window.path, f"has an unpacked entry of {entry.packed:,} and {entry.size:,} bytes", DAMAGED)
