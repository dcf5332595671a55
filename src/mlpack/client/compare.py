"""Compares two JSON values within a tolerance and says where they differ. Pure.

Expected keys must be there, others may be; lists have the same length; numbers differ by at most ``within``
(absolute; JSON knows one kind of number, so 1 equals 1.0); everything else is equal, and true is not 1.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SHOWN = 3
"""Differences shown one by one; more numbers than these are summed up in a line."""


@dataclass(frozen=True)
class Difference:
    """One place (``$.vectors[0][7]``) where two values differ; ``distance`` where both are numbers."""

    at: str
    words: str
    distance: float | None = None

    def __str__(self) -> str:
        return f"{self.at}: {self.words}"


def is_number(value: Any) -> bool:
    """A JSON number, not a truth value; NaN and infinities count, they differ from everything."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_float(value: float) -> float:
    """``value`` as a float; integers beyond its range become infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def show(value: Any) -> str:
    """``value`` in a few characters, without control characters."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    text = f"{kind(value)} of {len(value)}" if isinstance(value, dict | list) else ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def kind(value: Any) -> str:
    """The JSON name of the type of ``value``."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "truth value"
    for types, name in ((int | float, "number"), (str, "text"), (list, "list"), (dict, "object")):
        if isinstance(value, types):
            return name
    return type(value).__name__


def _with_kind(value: Any) -> str:
    plain = value is None or isinstance(value, list | dict)
    return show(value) if plain else f"{kind(value)} {show(value)}"


def differences(expected: Any, actual: Any, within: float, at: str = "$") -> Iterator[Difference]:
    """Every place where ``actual`` is not as ``expected``, in the order of ``expected``."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key, value in expected.items():
            if key in actual:
                yield from differences(value, actual[key], within, f"{at}.{key}")
            else:
                yield Difference(f"{at}.{key}", "missing")
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            yield Difference(at, f"expected {len(expected)} elements, got {len(actual)}")
            return
        for index, (left, right) in enumerate(zip(expected, actual, strict=True)):
            yield from differences(left, right, within, f"{at}[{index}]")
    elif is_number(expected) and is_number(actual):
        if expected == actual:
            return
        left, right = as_float(expected), as_float(actual)
        distance = abs(right - left)
        rounding = 4 * math.ulp(left) if within else 0.0  # so that 1.1 is within 0.1 of 1
        if not (distance <= within + rounding and math.isfinite(distance)):  # also where it is NaN
            allowed = f", more than {within:g} apart" if within else ""
            yield Difference(at, f"expected {show(expected)}, got {show(actual)}{allowed}", distance)
    elif kind(expected) != kind(actual):
        yield Difference(at, f"expected {_with_kind(expected)}, got {_with_kind(actual)}")
    elif expected != actual:
        yield Difference(at, f"expected {show(expected)}, got {show(actual)}")


def summary(found: list[Difference]) -> tuple[str, ...]:
    """The differences in at most ``SHOWN`` + 1 lines; the largest one by name where there are many."""
    if len(found) <= SHOWN:
        return tuple(map(str, found))
    others = [difference for difference in found if difference.distance is None]
    numbers = [difference for difference in found if difference.distance is not None]
    lines = [str(difference) for difference in others[:SHOWN]]
    if len(others) > SHOWN:
        lines[-1] += f" (and {len(others) - SHOWN} more places)"
    if numbers:
        worst = max(numbers, key=lambda difference: (math.isnan(difference.distance or 0), difference.distance or 0))
        lines.append(f"{len(numbers)} numbers differ, most at {worst}")
    return tuple(lines)
