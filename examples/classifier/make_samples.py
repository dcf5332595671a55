"""Writes samples/: drawn eyes, whose right answers are what was drawn, and files that must be refused."""

import io
import random
import struct
import zlib
from pathlib import Path

from eyes import LABELS, draw

SAMPLES = Path(__file__).parent / "samples"


def bomb(side: int) -> bytes:
    """A PNG that claims ``side`` x ``side`` pixels, all black, in as few bytes as zlib makes of them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 + side)) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def main() -> None:
    SAMPLES.mkdir(exist_ok=True)
    rng = random.Random(7)
    for label in LABELS:
        draw(label, rng, 256).save(SAMPLES / f"{label}.jpg", quality=90)
    draw("left", rng, 3000).save(SAMPLES / "large.jpg", quality=50)
    whole = io.BytesIO()
    draw("right", rng, 256).save(whole, "PNG")
    (SAMPLES / "truncated.png").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    (SAMPLES / "bomb.png").write_bytes(bomb(10_000))
    (SAMPLES / "words.jpg").write_text("These are words, whatever the name of the file says.\n")


if __name__ == "__main__":
    main()
