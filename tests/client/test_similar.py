"""Pictures and arrays against references: what NumPy and Pillow write is read, and the difference found is theirs."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mlpack.client.npy import read_npy
from mlpack.client.png import read_png
from mlpack.client.similar import compare_file
from mlpack.errors import MlpackError

RANDOM = np.random.default_rng(3)


def png(pixels: np.ndarray[Any, Any] | Image.Image, **options: Any) -> bytes:
    packed = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(packed, "PNG", **options)
    return packed.getvalue()


def npy(values: np.ndarray[Any, Any]) -> bytes:
    packed = io.BytesIO()
    np.save(packed, values)
    return packed.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def filtered(pixels: np.ndarray[Any, Any], kind: int) -> bytes:
    """A grey or RGB picture whose every line uses filter ``kind``, written from the standard's definitions."""
    height, width = pixels.shape[:2]
    step = 1 if pixels.ndim == 2 else 3
    lines = pixels.reshape(height, width * step).astype(int)
    out = b""
    for row in range(height):
        line, above = lines[row], lines[row - 1] if row else np.zeros_like(lines[0])
        left = np.concatenate([np.zeros(step, int), line[:-step]])
        corner = np.concatenate([np.zeros(step, int), above[:-step]])
        guess = left + above - corner
        distances = [abs(guess - near) for near in (left, above, corner)]
        nearest = np.choose(np.argmin(distances, axis=0), [left, above, corner])
        predicted = [np.zeros_like(line), left, above, (left + above) // 2, nearest][kind]
        out += bytes([kind]) + ((line - predicted) % 256).astype(np.uint8).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if step == 1 else 2, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(out)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 3), (1, 9, 4), (6, 6, 2)])
def test_colours_and_grey_are_read_as_pillow_wrote_them(shape: tuple[int, ...]) -> None:
    pixels = RANDOM.integers(0, 256, shape, dtype=np.uint8)
    picture = read_png(png(pixels))
    assert (picture.height, picture.width, picture.channels) == (*shape, 1)[:3]
    assert picture.samples == pixels.tobytes()


@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize("shape", [(6, 7), (6, 7, 3)])
def test_every_filter(shape: tuple[int, ...], kind: int) -> None:
    pixels = RANDOM.integers(0, 256, shape, dtype=np.uint8)
    data = filtered(pixels, kind)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)  # Pillow agrees with the test's own writer
    assert read_png(data).samples == pixels.tobytes()


def test_one_bit_palettes_and_sixteen_bits() -> None:
    mask = RANDOM.integers(0, 2, (9, 13), dtype=np.uint8).astype(bool)
    assert read_png(png(mask)).samples == (mask * np.uint8(255)).tobytes()
    colours = Image.fromarray(RANDOM.integers(0, 256, (8, 11, 3), dtype=np.uint8)).quantize(13)
    assert read_png(png(colours)).samples == np.asarray(colours.convert("RGB")).tobytes()
    deep = RANDOM.integers(0, 65536, (4, 5), dtype=np.uint16)
    assert read_png(png(deep)).samples == (deep >> 8).astype(np.uint8).tobytes()


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "<u2", ">i4", "<i8", "<f2", "<f4", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_read_as_numpy_wrote_them(dtype: str, order: Any) -> None:
    values = np.asarray(RANDOM.integers(0, 2 if dtype == "?" else 100, (3, 4, 2)).astype(dtype), order=order)
    found = read_npy(npy(values))
    assert (found.shape, found.fortran) == ((3, 4, 2), order == "F")
    assert list(found.values) == values.ravel(order=order).tolist()
    assert compare("a.npy", npy(values), npy(np.ascontiguousarray(values))) == ()


def compare(
    path: str, reference: bytes, body: bytes, within: float | None = None, iou: float | None = None
) -> tuple[str, ...]:
    return compare_file(path, reference, body, within=within, iou=iou)


def blocks() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Two masks of 100 and 90 pixels that share 80: IoU 80 / 110 = 0.727."""
    left, right = np.zeros((20, 30), bool), np.zeros((20, 30), bool)
    left[0:10, 0:10] = True
    right[0:10, 2:11] = True
    return left, right


@pytest.mark.parametrize("as_file", [("m.png", png), ("m.npy", npy)])
def test_masks_by_their_overlap(as_file: tuple[str, Any]) -> None:
    path, pack = as_file
    left, right = blocks()
    assert compare(path, pack(left), pack(right), iou=0.727) == ()
    (line,) = compare(path, pack(left), pack(right), iou=0.728)
    assert line == f"the mask overlaps with {path} by 0.727 (IoU), less than 0.728: 90 of 600 set, 100 expected"
    nothing = np.zeros_like(left)
    assert compare(path, pack(nothing), pack(nothing), iou=1) == ()
    assert "by 0.000" in compare(path, pack(left), pack(nothing), iou=0.1)[0]
    assert "by 0.167" in compare(path, pack(left), pack(~nothing), iou=0.5)[0]  # everything set is no good answer


def test_a_mask_may_come_in_another_kind_of_picture() -> None:
    left, _ = blocks()
    grey = (left * np.uint8(200)).astype(np.uint8)
    colour = np.zeros((20, 30, 4), np.uint8)
    colour[left, 1] = 255
    colour[..., 3] = 255  # opaque everywhere: opacity is not the mask
    for body in (png(grey), png(colour), png(Image.fromarray(grey).convert("P"))):
        assert compare("m.png", png(left), body, iou=1) == ()
    probable = np.where(left, 0.51, 0.49).astype("<f4")
    assert compare("m.npy", npy(left), npy(probable), iou=1) == ()


def test_nearness_of_pictures_and_arrays() -> None:
    pixels = np.full((4, 6), 100, np.uint8)
    other = pixels.copy()
    other[2, 5] = 97
    assert compare("p.png", png(pixels), png(other), within=3) == ()
    (line,) = compare("p.png", png(pixels), png(other), within=2)
    assert line == "1 of 24 samples are not within 2 of p.png, most at [2, 5, 0]: 97 where 100 is expected"
    assert compare("p.png", png(pixels), png(other)) != ()
    values = np.zeros((2, 3))
    off = values.copy()
    off[1, 2] = 0.25
    assert compare("v.npy", npy(values), npy(off), within=0.25) == ()
    assert "[1, 2]: 0.25 where 0" in compare("v.npy", npy(values), npy(off), within=0.2)[0]
    off[0, 0] = np.nan
    assert "[0, 0]: nan" in compare("v.npy", npy(values), npy(off), within=1e9)[0]


def test_other_shapes_are_named() -> None:
    left, _ = blocks()
    assert compare("m.png", png(left), png(left.T), iou=0.5) == (
        "the answer is 20 x 30 pixels with 1 channel, m.png is 30 x 20 pixels with 1 channel",
    )
    assert compare("v.npy", npy(np.zeros((2, 3))), npy(np.zeros(6))) == (
        "the answer is an array of 6, v.npy is an array of 2 x 3",
    )


def headed(*fields: int) -> bytes:
    """A PNG of a header and an end."""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", *fields)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not a PNG"),
        (b"<html>", "not a PNG"),
        (png(np.zeros((5, 5), np.uint8))[:-20], "cut off"),
        (png(np.zeros((50, 50), np.uint8)).replace(b"IDAT", b"IDAX"), "a checksum is wrong"),
        (headed(2**31, 2**31, 8, 2, 0, 0, 0), "2147483648 x 2147483648"),
        (headed(4, 4, 8, 0, 0, 0, 1), "interlaced"),
    ],
)
def test_an_answer_that_is_no_picture_is_a_line(body: bytes, says: str) -> None:
    (line,) = compare("m.png", png(np.zeros((5, 5), bool)), body, iou=0.5)
    assert line.startswith("the answer is ")
    assert says in line


def test_expectations_that_cannot_be_met_are_told() -> None:
    mask = png(np.zeros((2, 2), bool))
    for path, within, iou in (("m.jpg", None, 0.5), ("m.png", 1.0, 0.5), ("m.png", None, 1.5), ("m.png", -1.0, None)):
        assert "the expectation is wrong" in compare(path, mask, mask, within, iou)[0]
    with pytest.raises(MlpackError, match="not a PNG"):
        compare("m.png", b"nothing", mask, iou=0.5)


SEEDS = [png(RANDOM.integers(0, 256, (6, 6, 3), dtype=np.uint8)), npy(RANDOM.integers(0, 99, (3, 4)))]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6),
    st.integers(0, 300),
)
def test_damage_is_a_value_error_or_nothing(seed: bytes, changes: list[tuple[int, int]], cut: int) -> None:
    body = bytearray(seed)
    for at, value in changes:
        body[at % len(body)] = value
    for read in (read_png, read_npy):
        try:
            read(bytes(body[: max(1, len(body) - cut % 40)]))
        except ValueError:
            continue
