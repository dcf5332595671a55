"""How the examples read pictures that are right but unusual: turned ones, and grey of 16 bits."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"
SIDE = 64
ORIENTATION = 0x0112
TURNED = {3: ("right", "left"), 6: ("top", "bottom"), 8: ("bottom", "top")}
"""EXIF's number -> where the stored picture's white left half is to be seen, and where its black one."""


def reader(example: str, module: str, function: str) -> Callable[[bytes], Any]:
    """``function`` of an example's module, loaded from its file."""
    spec = importlib.util.spec_from_file_location(f"{example}_{module}", EXAMPLES / example / f"{module}.py")
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    found: Callable[[bytes], Any] = getattr(loaded, function)
    return found


READERS = {
    "segmentation": reader("segmentation", "pictures", "read_picture"),
    "classifier": reader("classifier", "eyes", "take"),
}


def packed(picture: Image.Image, kind: str, **how: Any) -> bytes:
    held = io.BytesIO()
    picture.save(held, kind, **how)
    return held.getvalue()


def half(pixels: Any, side: str) -> float:
    """Mean brightness of one half."""
    height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
    parts = {"left": pixels[:, :width], "right": pixels[:, width:], "top": pixels[:height], "bottom": pixels[height:]}
    return float(parts[side].mean())


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("example", READERS)
def test_a_turned_picture_is_seen_upright(example: str, orientation: int) -> None:
    picture, exif = Image.new("RGB", (SIDE, SIDE)), Image.Exif()
    picture.paste((255, 255, 255), (0, 0, SIDE // 2, SIDE))
    exif[ORIENTATION] = orientation
    pixels = READERS[example](packed(picture, "JPEG", exif=exif))
    white, black = TURNED[orientation]
    assert half(pixels, white) > 240
    assert half(pixels, black) < 15


@pytest.mark.parametrize("example", READERS)
def test_grey_of_16_bits_keeps_its_shades(example: str) -> None:
    grey = np.linspace(0, 65535, SIDE * SIDE).astype(np.uint16).reshape(SIDE, SIDE)
    pixels = READERS[example](packed(Image.fromarray(grey), "PNG"))
    assert pixels.shape == (SIDE, SIDE, 3)
    assert np.array_equal(pixels[:, :, 0], grey >> 8)
