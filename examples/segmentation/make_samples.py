"""Writes samples/: pictures to ask about, and the masks that are true of them because they were drawn so."""

from pathlib import Path

import numpy as np
from PIL import Image

from cells import draw

SAMPLES = Path(__file__).parent / "samples"


def main() -> None:
    SAMPLES.mkdir(exist_ok=True)
    picture, mask = draw(7, 1024)
    Image.fromarray(picture).save(SAMPLES / "cells-1024.jpg", quality=88)
    Image.fromarray(mask).save(SAMPLES / "cells-1024.mask.png", optimize=True)
    picture, mask = draw(8, 360)
    Image.fromarray(picture[:300]).save(SAMPLES / "cells-360.png", optimize=True)
    Image.fromarray(mask[:300]).save(SAMPLES / "cells-360.mask.png", optimize=True)
    # sixteen times the pixels that are allowed, in a file of a few kilobytes
    Image.fromarray(np.full((4096, 4096), 230, np.uint8)).save(SAMPLES / "blank-4096.png", optimize=True)


if __name__ == "__main__":
    main()
