"""Reads the pixels of a PNG (ISO/IEC 15948) with the standard library: what verify compares masks and pictures by.

Bounded in pixels before anything is unpacked. Interlaced files are refused: no service of ours writes them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_SAMPLES = 64 * 1024**2
"""Width x height x channels: a picture of 4,700 x 4,700 pixels in colour."""
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16), RGBA: (8, 16)}


@dataclass(frozen=True)
class Picture:
    """Samples of 0 to 255 (16-bit ones by their high byte), row after row, ``channels`` per pixel."""

    width: int
    height: int
    channels: int
    samples: bytes


@lru_cache(maxsize=8)
def read_png(data: bytes) -> Picture:
    """The picture in ``data``. Raises ValueError saying what is wrong with it. A load sends the same answer often."""
    chunks = list(_chunks(data))
    if not chunks or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13:
        raise ValueError("a PNG without its header")
    width, height, depth, colour, packing, filtering, interlace = struct.unpack(">IIBBBBB", chunks[0][1])
    if colour not in CHANNELS or depth not in DEPTHS[colour] or packing or filtering:
        raise ValueError(f"a PNG of colour type {colour} and {depth} bits, which does not exist")
    if interlace:
        raise ValueError("an interlaced PNG, which is not supported")
    channels = CHANNELS[colour]
    if not width or not height or width * height * channels > MAX_SAMPLES:
        raise ValueError(f"a PNG of {width} x {height} pixels")
    line_bytes = (width * channels * depth + 7) // 8
    packed = b"".join(body for name, body in chunks if name == b"IDAT")
    rows = _rows(_unpack(packed, height * (line_bytes + 1)), line_bytes, max(1, channels * depth // 8))
    if depth == 16:
        samples = b"".join(row[::2] for row in rows)
    elif depth < 8:
        table = _expansion(depth, spread=colour != PALETTE)
        samples = b"".join(b"".join(map(table.__getitem__, row))[: width * channels] for row in rows)
    else:
        samples = b"".join(rows)
    if colour == PALETTE:
        palette = next((body for name, body in chunks if name == b"PLTE"), b"")
        return Picture(width, height, 3, _coloured(samples, palette))
    return Picture(width, height, channels, samples)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of every chunk, each checked by its checksum, up to the end's."""
    if not data.startswith(SIGNATURE):
        raise ValueError("not a PNG")
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + size]
        checksum = data[at + 8 + size : at + 12 + size]
        if len(body) != size or len(checksum) != 4:
            break
        if checksum != struct.pack(">I", zlib.crc32(name + body)):
            raise ValueError("a damaged PNG: a checksum is wrong")
        if name == b"IEND":
            return
        yield name, body
        at += 12 + size
    raise ValueError("a PNG that is cut off")


def _unpack(packed: bytes, size: int) -> bytes:
    try:
        unpacked = zlib.decompressobj().decompress(packed, size)
    except zlib.error as error:
        raise ValueError(f"a damaged PNG: {error}") from error
    if len(unpacked) != size:
        raise ValueError("a PNG that is cut off")
    return unpacked


def _rows(unpacked: bytes, line_bytes: int, step: int) -> Iterator[bytes]:
    """Lines with their filters undone; ``step`` is the distance to the same sample of the pixel before."""
    above = bytes(line_bytes)
    for at in range(0, len(unpacked), line_bytes + 1):
        above = _unfiltered(unpacked[at], unpacked[at + 1 : at + 1 + line_bytes], above, step)
        yield above


def _unfiltered(kind: int, line: bytes, above: bytes, step: int) -> bytes:
    if kind == 0:
        return line
    if kind == 1:
        done = bytearray(line)
        for index in range(step, len(line)):
            done[index] = (line[index] + done[index - step]) & 255
        return bytes(done)
    if kind == 2:
        return bytes([(value + up) & 255 for value, up in zip(line, above, strict=True)])
    if kind not in (3, 4):
        raise ValueError(f"a damaged PNG: filter {kind}")
    done = bytearray(len(line))
    for index, value in enumerate(line):
        left = done[index - step] if index >= step else 0
        corner = above[index - step] if index >= step else 0
        guess = (left + above[index]) // 2 if kind == 3 else _paeth(left, above[index], corner)
        done[index] = (value + guess) & 255
    return bytes(done)


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    far_left, far_up, far_corner = abs(guess - left), abs(guess - up), abs(guess - corner)
    if far_left <= far_up and far_left <= far_corner:
        return left
    return up if far_up <= far_corner else corner


def _expansion(depth: int, *, spread: bool) -> list[bytes]:
    """Byte -> its samples of ``depth`` bits; ``spread`` over 0 to 255, or as they are (a palette's numbers)."""
    most = (1 << depth) - 1
    factor = 255 // most if spread else 1
    shifts = range(8 - depth, -1, -depth)
    return [bytes(factor * ((value >> shift) & most) for shift in shifts) for value in range(256)]


def _coloured(numbers: bytes, palette: bytes) -> bytes:
    if not palette or len(palette) % 3 or max(numbers) >= len(palette) // 3:
        raise ValueError("a damaged PNG: a colour that its palette does not have")
    colours = [palette[at : at + 3] for at in range(0, len(palette), 3)]
    return b"".join(map(colours.__getitem__, numbers))
