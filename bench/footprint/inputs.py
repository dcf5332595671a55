"""What a row is asked: inputs of its largest shape, and of texts shorter ones as well. Pure."""

from __future__ import annotations

from bench.footprint.rows import Served

SEEDS = 3
"""Different inputs of the largest shape."""
LENGTHS = 24
"""Of a text: the largest, and a 24th, two, ... 23 of it."""
TOKEN = "word"
"""See apps/texts.py."""


def order(served: Served) -> list[int]:
    """Seeds in the order in which they are asked, again and again: of texts each second one is a shorter one."""
    if not served.texts:
        return list(range(SEEDS))
    return [seed for shorter in range(LENGTHS - 1) for seed in (shorter % SEEDS, SEEDS + shorter)]


def body(served: Served, seed: int) -> dict[str, object]:
    """What is asked for ``seed``: below SEEDS the largest input, of texts shorter ones above."""
    if not served.texts:
        return {"seed": seed}
    assert served.max_input is not None
    most = int(str(served.max_input["tokens"]))
    tokens = most if seed < SEEDS else max(1, most * (seed - SEEDS + 1) // LENGTHS)
    return {"seed": seed, "text": TOKEN * tokens}
