"""Pictures of eyes: what is taken from outside, what models see of it, and pictures to learn from."""

import io
import random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps, UnidentifiedImageError

LABELS = ("centre", "closed", "left", "right")
SIDE = 64
FORMATS = ("JPEG", "PNG")
LEAST_SIDE, MOST_SIDE = 16, 4096
Image.MAX_IMAGE_PIXELS = None  # judged here, by the header and more strictly
MOST_PIXELS = 12_000_000
"""Decoded, 12 megapixels are 36 MB; a file of a few KB can claim a thousand times more."""


class NotTaken(Exception):
    """A picture that is refused: an HTTP status and the reason in words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


def eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits to 8: ``convert`` would cut nearly all of it off as white."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def take(data: bytes) -> np.ndarray:
    """The picture in ``data`` as SIDE x SIDE x 3 bytes. The header is judged before a single pixel is decoded."""
    try:
        # the first bytes decide, whatever name or type the client gave the file
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if width * height > MOST_PIXELS or max(width, height) > MOST_SIDE:
                raise NotTaken(413, f"{width} x {height} pixels: at most {MOST_SIDE} a side, {MOST_PIXELS} in all")
            if min(width, height) < LEAST_SIDE:
                raise NotTaken(422, f"{width} x {height} pixels: at least {LEAST_SIDE} a side")
            image.draft("RGB", (SIDE, SIDE))  # JPEG: decode at a fraction of the size
            image.load()
            upright = eight_bits(ImageOps.exif_transpose(image))  # a phone stores how it was held beside the pixels
            return np.asarray(upright.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    except NotTaken:
        raise
    except UnidentifiedImageError as error:
        raise NotTaken(415, "neither JPEG nor PNG") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise NotTaken(422, f"the picture is damaged: {error}") from error


def features(picture: np.ndarray) -> np.ndarray:
    """What the trees look at: brightness in 8 x 8 fields, and by column and row. 96 numbers."""
    grey = picture.mean(axis=2)
    fields = grey.reshape(8, SIDE // 8, 8, SIDE // 8).mean(axis=(1, 3)).ravel()
    columns = grey.reshape(SIDE, 16, SIDE // 16).mean(axis=(0, 2))
    rows = grey.reshape(16, SIDE // 16, SIDE).mean(axis=(1, 2))
    return np.concatenate([fields, columns, rows]).astype(np.float32)


def draw(label: str, rng: random.Random, side: int = SIDE) -> Image.Image:
    """A picture of an eye that looks where ``label`` says."""
    unit = side / 64
    skin = tuple(rng.randint(120, 225) for _ in range(3))
    image = Image.new("RGB", (side, side), skin)
    pen = ImageDraw.Draw(image)
    x, y = (32 + rng.uniform(-3, 3)) * unit, (32 + rng.uniform(-3, 3)) * unit
    wide, high = rng.uniform(22, 27) * unit, rng.uniform(11, 16) * unit
    dark = tuple(int(part * 0.35) for part in skin)
    if label == "closed":
        pen.arc((x - wide, y - high, x + wide, y + high), 10, 170, fill=dark, width=max(1, int(3 * unit)))
    else:
        pen.ellipse((x - wide, y - high, x + wide, y + high), fill=(240, 238, 232), outline=dark)
        at = x + {"left": -0.55, "centre": 0.0, "right": 0.55}[label] * wide + rng.uniform(-1.5, 1.5) * unit
        iris, colour = high * rng.uniform(0.75, 0.95), tuple(rng.randint(20, 140) for _ in range(3))
        pen.ellipse((at - iris, y - iris, at + iris, y + iris), fill=colour)
        pen.ellipse((at - iris / 2, y - iris / 2, at + iris / 2, y + iris / 2), fill=(8, 8, 8))
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.2) * unit))
    noise = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(2, 10), (side, side, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
