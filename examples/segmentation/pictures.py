"""Turns an upload into pixels, or says why not. Nothing is unpacked before its size is known to be allowed."""

import io
import warnings

import numpy as np
from PIL import Image, ImageOps

MAX_SIDE = 1024
"""Pixels; the largest picture that memory is planned for (max_input in mlpack.yaml)."""
KINDS = ("PNG", "JPEG")


class Refused(Exception):
    """An upload that cannot be used: the HTTP status and, in words for the user, why."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


def eight_bits(picture: Image.Image) -> Image.Image:
    """Grey of 16 bits, as microscopes write it, to 8: ``convert`` would cut nearly all of it off as white."""
    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))


def read_picture(data: bytes) -> np.ndarray:
    """The upload as (height, width, 3) bytes. Raises Refused: 415 no picture, 413 too many pixels, 422 damaged."""
    if not data:
        raise Refused(400, "The file is empty.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size is checked below, and smaller
            picture = Image.open(io.BytesIO(data), formats=KINDS)
    except Image.DecompressionBombError as error:
        raise Refused(413, f"The picture is far too large; at most {MAX_SIDE} x {MAX_SIDE} pixels.") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise Refused(415, "This is no PNG or JPEG picture.") from error
    width, height = picture.size
    if width > MAX_SIDE or height > MAX_SIDE:
        raise Refused(413, f"The picture has {width} x {height} pixels; at most {MAX_SIDE} x {MAX_SIDE} are allowed.")
    if width < 16 or height < 16:
        raise Refused(422, f"The picture has {width} x {height} pixels; at least 16 x 16 are needed.")
    try:
        return np.asarray(eight_bits(ImageOps.exif_transpose(picture)).convert("RGB"))  # upright, as browsers draw it
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
        raise Refused(422, "The picture is damaged or incomplete.") from error
