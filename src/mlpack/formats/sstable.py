"""The sorted string tables in which TensorFlow keeps a checkpoint's index (LevelDB's table format, uncompressed).

A footer names the index block, that names the data blocks; keys in a block share prefixes with the one before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mlpack.formats.reading import failed
from mlpack.formats.window import Window
from mlpack.units import MIB

FOOTER_BYTES = 48
MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
TRAILER_BYTES = 5
"""Compression and checksum behind every block."""
MOST_BLOCK_BYTES = 4 * MIB
MOST_KEY_BYTES = 64 * 1024
MOST_ENTRIES = 400_000
DAMAGED = "the file is damaged: fetch it again"


class Value(NamedTuple):
    """Where a value lies in the table's file."""

    place: int
    size: int


def entries(window: Window) -> Iterator[tuple[bytes, Value]]:
    """Keys in order, and the places of their values. Raises ModelFileError where it is no such table."""
    path = window.path
    if window.size < FOOTER_BYTES or window.at(window.size - 8, 8) != MAGIC:
        raise failed(
            path, "is not a checkpoint's index, or is truncated: its mark at the end is missing", "fetch it again"
        )
    footer = window.at(window.size - FOOTER_BYTES, FOOTER_BYTES)
    _, at = _pair(window, footer, 0)
    index, _ = _pair(window, footer, at)
    seen = 0
    for _, value in _block(window, index):
        block, _ = _pair(window, window.at(value.place, value.size), 0)
        for entry in _block(window, block):
            seen += 1
            if seen > MOST_ENTRIES:
                raise failed(path, f"has more than {MOST_ENTRIES:,} entries", DAMAGED)
            yield entry


def _block(window: Window, block: Value) -> Iterator[tuple[bytes, Value]]:
    """Keys and values of one block."""
    if block.size > MOST_BLOCK_BYTES:
        raise failed(window.path, f"has a block of {block.size:,} bytes", DAMAGED)
    content = window.at(block.place, block.size)
    compression = window.at(block.place + block.size, TRAILER_BYTES)[0]
    if compression != 0:
        raise failed(window.path, "has a compressed index, which is not read", "save the checkpoint with TensorFlow 2")
    if len(content) < 4:
        raise failed(window.path, "has an empty block", DAMAGED)
    end = len(content) - 4 - 4 * int.from_bytes(content[-4:], "little")
    key, at = b"", 0
    while at < end:
        shared, at = _number(window, content, at)
        own, at = _number(window, content, at)
        size, at = _number(window, content, at)
        if shared > len(key) or own + shared > MOST_KEY_BYTES or at + own + size > end:
            raise failed(window.path, "has an entry that reaches out of its block", DAMAGED)
        key = key[:shared] + content[at : at + own]
        yield key, Value(block.place + at + own, size)
        at += own + size


def _pair(window: Window, data: bytes, at: int) -> tuple[Value, int]:
    place, at = _number(window, data, at)
    size, at = _number(window, data, at)
    return Value(place, size), at


def _number(window: Window, data: bytes, at: int) -> tuple[int, int]:
    """A variable-length number at ``at``, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise failed(window.path, "has a number without an end in its index", DAMAGED)
