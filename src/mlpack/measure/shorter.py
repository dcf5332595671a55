"""Shorter versions of a request: texts of real life are not all as long as the largest one. Pure.

Each length takes other blocks of the C library's allocator, which keeps them: MiniLM held 14 to 20 MiB more in each
worker once it was asked with 24 lengths instead of one (docs/memory.md).
"""

from __future__ import annotations

import json
from typing import Any

from mlpack.measure.request import RawCall, RawRequest

EIGHTHS = (1, 2, 3, 4, 5, 6, 7)
LEAST_CHARACTERS = 40
"""Shorter texts are names, labels and dates: cut ones would mean something else, and take no memory."""
MOST_BYTES = 512 * 1024
"""All of them together lie in the measured process."""


def shorter(asked: RawRequest | RawCall) -> tuple[str, ...]:
    """JSON bodies like that of ``asked`` with every long text cut to an eighth, two, ... seven of its length.

    None where the body is no JSON, has no such text, or they would be too large.
    """
    if isinstance(asked, RawCall):
        return ()
    try:
        value = json.loads(asked.body)
    except ValueError:
        return ()
    made = [json.dumps(_cut(value, eighths), ensure_ascii=False) for eighths in EIGHTHS]
    whole = json.dumps(value, ensure_ascii=False)
    if whole in made or sum(len(body.encode()) for body in made) > MOST_BYTES:
        return ()
    return tuple(made)


def _cut(value: Any, eighths: int) -> Any:
    if isinstance(value, str) and len(value) >= LEAST_CHARACTERS:
        return value[: len(value) * eighths // 8]
    if isinstance(value, list):
        return [_cut(one, eighths) for one in value]
    if isinstance(value, dict):
        return {key: _cut(one, eighths) for key, one in value.items()}
    return value
