"""Is an answer's picture or array near a reference? By the largest difference, or by the overlap of two masks. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import sub
from pathlib import PurePosixPath

from mlpack.client.npy import NumberArray, read_npy
from mlpack.client.png import Picture, read_png
from mlpack.errors import MlpackError

KINDS = (".png", ".npy")
UNSUPPORTED = (".npz", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
"""Pictures that lose something, or need a library: a `run:` step can compare them."""
HALF = 127
IS_SET = bytes(value > HALF for value in range(256))
_WRONG = "the expectation is wrong"


@dataclass(frozen=True)
class _Grid:
    """What both kinds have in common: how large it is, numbers in one order, and which of them belong to a mask."""

    shape: tuple[int, ...]
    numbers: Sequence[float]
    mask: bytes


def compare_file(
    path: str, reference: bytes, body: bytes, *, within: float | None, iou: float | None
) -> tuple[str, ...]:
    """Why ``body`` is not like the file ``path`` with the content ``reference``, a line each; empty if it is.

    ``iou``: the least intersection over union of two masks: of a picture, pixels brighter than half (in any colour;
    opacity does not count); of an array, what is true, not 0, or above 0.5 where it holds fractions. Two empty masks
    overlap wholly. Without it every sample or element is at most ``within`` (0) away.
    Raises MlpackError where the reference itself cannot be read.
    """
    kind = PurePosixPath(path).suffix.lower()
    if kind not in KINDS:
        what = f"{_WRONG}: {path} is neither {' nor '.join(KINDS)}"
        return (f"{what}; a `run:` step can compare others with a script",)
    if iou is not None and (within is not None or not 0 < iou <= 1):
        return (f"{_WRONG}: iou is above 0 and at most 1, and stands without within",)
    if within is not None and not 0 <= within < math.inf:
        return (f"{_WRONG}: within must be a number from 0",)
    try:
        wanted = _read(kind, reference)
    except ValueError as error:
        raise MlpackError(f"cannot be compared with: it is {error}", where=path) from error
    try:
        got = _read(kind, body)
    except ValueError as error:
        return (f"the answer is {error}; expected a file like {path}",)
    if wanted.shape[:2] != got.shape[:2] if kind == ".png" and iou is not None else wanted.shape != got.shape:
        return (f"the answer is {_size(kind, got)}, {path} is {_size(kind, wanted)}",)
    return _overlap(path, wanted, got, iou) if iou is not None else _nearness(path, kind, wanted, got, within or 0.0)


def _read(kind: str, data: bytes) -> _Grid:
    return _of_picture(read_png(data)) if kind == ".png" else _of_array(read_npy(data))


def _of_picture(picture: Picture) -> _Grid:
    colours = picture.channels - (picture.channels % 2 == 0)  # 2 and 4 channels end with opacity
    planes = [picture.samples[channel :: picture.channels].translate(IS_SET) for channel in range(colours)]
    set_ = 0
    for plane in planes:
        set_ |= int.from_bytes(plane)
    shape = (picture.height, picture.width, picture.channels)
    return _Grid(shape, picture.samples, set_.to_bytes(picture.width * picture.height))


def _of_array(found: NumberArray) -> _Grid:
    numbers: Sequence[float] = found.values
    if found.fortran:
        numbers = [found.values[at] for at in _rows_first(found.shape)]
    above = 0.5 if "f" in found.dtype else 0
    return _Grid(found.shape, numbers, bytes(number > above for number in numbers))


def _rows_first(shape: tuple[int, ...]) -> list[int]:
    """Places in a file whose first index runs fastest, in the order of one whose last does."""
    places, stride = [0], 1
    steps = []
    for length in shape:
        steps.append((length, stride))
        stride *= length
    for length, step in steps:
        places = [place + index * step for place in places for index in range(length)]
    return places


def _overlap(path: str, wanted: _Grid, got: _Grid, least: float) -> tuple[str, ...]:
    left, right = int.from_bytes(wanted.mask), int.from_bytes(got.mask)
    either = (left | right).bit_count()
    reached = (left & right).bit_count() / either if either else 1.0
    if reached >= least:
        return ()
    sizes = f"{right.bit_count():,} of {len(got.mask):,} set, {left.bit_count():,} expected"
    return (f"the mask overlaps with {path} by {reached:.3f} (IoU), less than {least:g}: {sizes}",)


def _nearness(path: str, kind: str, wanted: _Grid, got: _Grid, within: float) -> tuple[str, ...]:
    if wanted.numbers == got.numbers:
        return ()
    apart = [abs(distance) for distance in map(sub, got.numbers, wanted.numbers)]
    wrong = [index for index, distance in enumerate(apart) if not distance <= within]  # also where it is NaN
    if not wrong:
        return ()
    worst = max(wrong, key=lambda index: (math.isnan(apart[index]), apart[index]))
    place = _place(worst, wanted.shape)
    what = "samples" if kind == ".png" else "elements"
    values = f"{got.numbers[worst]:g} where {wanted.numbers[worst]:g} is expected"
    return (f"{len(wrong):,} of {len(apart):,} {what} are not within {within:g} of {path}, most at {place}: {values}",)


def _place(index: int, shape: tuple[int, ...]) -> str:
    found: list[int] = []
    for length in reversed(shape):
        index, at = divmod(index, length)
        found.insert(0, at)
    return f"[{', '.join(map(str, found))}]"


def _size(kind: str, grid: _Grid) -> str:
    if kind == ".png":
        height, width, channels = grid.shape
        return f"{width} x {height} pixels with {channels} channel{'s' if channels > 1 else ''}"
    return f"an array of {' x '.join(map(str, grid.shape)) or 'one element'}"
