"""Makes decisions. Big systems have many alike (defaults, plain services); they are frozen, so equal ones are one."""

from __future__ import annotations

from functools import lru_cache

from mlpack.plan import Decided, DecidedBool, DecidedFloat, DecidedInt, DecidedStr, Source

KEPT = 4096
"""Decisions remembered: those of some hundred services. A lookup costs a tenth of making one."""


@lru_cache(maxsize=KEPT)
def whole(value: int, source: Source, because: str) -> Decided[int]:
    """A decided number."""
    return DecidedInt(value=value, source=source, because=because)


def real(value: float, source: Source, because: str) -> Decided[float]:
    """A decided measure; a whole one becomes a float, as its JSON says it."""
    return _real(float(value), source, because)


@lru_cache(maxsize=KEPT)
def text(value: str, source: Source, because: str) -> Decided[str]:
    """A decided word."""
    return DecidedStr(value=value, source=source, because=because)


@lru_cache(maxsize=KEPT)
def truth(value: bool, source: Source, because: str) -> Decided[bool]:
    """A decided yes or no."""
    return DecidedBool(value=value, source=source, because=because)


@lru_cache(maxsize=KEPT)
def _real(value: float, source: Source, because: str) -> Decided[float]:
    return DecidedFloat(value=value, source=source, because=because)
