"""Draws stained cells under a microscope, together with the mask that is true of them.

The network learns from these pictures and is asked about others of them, so that the right answer is known: not what
a model said once, but what was drawn.
"""

import math

import numpy as np

BACKGROUND = np.array([238.0, 226.0, 222.0])
CYTOPLASM = np.array([205.0, 150.0, 186.0])
NUCLEUS = np.array([104.0, 70.0, 138.0])
DEBRIS = np.array([126.0, 96.0, 70.0])


def draw(seed: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture of ``side`` x ``side`` pixels (uint8, RGB) and its mask (bool: there is a cell)."""
    random = np.random.default_rng(seed)
    picture = _background(random, side)
    mask = np.zeros((side, side), bool)
    for _ in range(max(1, side * side // 5500)):
        _cell(random, picture, mask)
    for _ in range(side // 40):
        _debris(random, picture)
    picture += _smooth(random, side, 2, 5.0)
    picture *= 1 + _smooth(random, side, side // 3 + 1, 0.06)  # uneven light
    return np.clip(picture, 0, 255).astype(np.uint8), mask


def _background(random: np.random.Generator, side: int) -> np.ndarray:
    picture = np.empty((side, side, 3))
    picture[:] = BACKGROUND + random.normal(0, 5, 3)
    fibres = _smooth(random, side, 12, 1.0)
    picture -= np.clip(fibres, 0, None) * 14 * np.array([0.4, 1.0, 0.7])  # tissue between the cells, faintly stained
    return picture


def _smooth(random: np.random.Generator, side: int, grain: int, strength: float) -> np.ndarray:
    """Noise of ``strength`` whose spots are about ``grain`` pixels wide, (side, side, 1)."""
    count = side // grain + 2
    coarse = random.normal(0, strength, (count, count))
    at = np.arange(side) / grain
    low = at.astype(int)
    part = (at - low)[:, None]
    rows = coarse[low] * (1 - part) + coarse[low + 1] * part
    return (rows[:, low] * (1 - part.T) + rows[:, low + 1] * part.T)[:, :, None]


def _outline(random: np.random.Generator, radius: float, wobble: float, side: int):
    """A blob somewhere in the picture: its window, and there the distance from its middle (1 is its edge)."""
    x, y = random.uniform(0, side, 2)
    reach = int(radius * (1 + 3 * wobble) * 1.5) + 2
    top, left = max(0, int(y) - reach), max(0, int(x) - reach)
    window = (slice(top, min(side, int(y) + reach)), slice(left, min(side, int(x) + reach)))
    rows, columns = np.mgrid[window]
    turn, stretch = random.uniform(0, math.pi), random.uniform(1.0, 1.4)
    across = (columns - x) * math.cos(turn) + (rows - y) * math.sin(turn)
    along = (rows - y) * math.cos(turn) - (columns - x) * math.sin(turn)
    angle = np.arctan2(along, across)
    edge = radius * (1 + sum(random.normal(0, wobble) * np.cos(k * angle + random.uniform(0, 6)) for k in (2, 3, 5)))
    return window, np.hypot(across / stretch, along * stretch) / edge, edge


def _cell(random: np.random.Generator, picture: np.ndarray, mask: np.ndarray) -> None:
    window, distance, edge = _outline(random, random.uniform(14, 34), 0.06, len(mask))
    inside = distance <= 1
    if mask[window][distance <= 1.15].any() or not inside.any():
        return  # cells lie beside each other
    stain = random.uniform(0.55, 1.0) * (0.75 + 0.25 * np.clip(distance, 0, 1))
    _blend(picture, window, CYTOPLASM + random.normal(0, 8, 3), stain * _soft(1 - distance, edge))
    nucleus = random.uniform(0.35, 0.55)
    shade = random.uniform(0.6, 0.95)
    _blend(picture, window, NUCLEUS + random.normal(0, 8, 3), shade * _soft(nucleus - distance, edge))
    mask[window] |= inside


def _debris(random: np.random.Generator, picture: np.ndarray) -> None:
    """Dust and bubbles: dark spots and rings that are no cells."""
    window, distance, edge = _outline(random, random.uniform(3, 9), 0.12, len(picture))
    if random.random() < 0.5:
        _blend(picture, window, DEBRIS + random.normal(0, 10, 3), 0.8 * _soft(1 - distance, edge))
    else:
        _blend(picture, window, BACKGROUND * 0.72, 0.7 * _soft(0.25 - np.abs(distance - 1), edge))


def _soft(depth: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """1 inside, 0 outside, over about two pixels in between."""
    return np.clip(depth * edge / 2 + 0.5, 0, 1)


def _blend(picture: np.ndarray, window: tuple[slice, slice], colour: np.ndarray, share: np.ndarray) -> None:
    picture[window] += share[:, :, None] * (colour - picture[window])
