"""Axes: values to places on a drawing, and the round numbers to mark. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlpack.units import GIB, MIB, show_duration

TIME_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)
STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True)
class Scale:
    """A straight line from values to places; ``log``: from their logarithms."""

    from_value: float
    to_value: float
    from_place: float
    to_place: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Where ``value`` is."""
        low, high, at = (self._of(one) for one in (self.from_value, self.to_value, value))
        share = (at - low) / (high - low) if high != low else 0.0
        return self.from_place + share * (self.to_place - self.from_place)

    def _of(self, value: float) -> float:
        return math.log10(value) if self.log else value


def byte_ticks(most_bytes: float, count: int = 4) -> tuple[tuple[float, str], ...]:
    """About ``count`` round sizes from 0 up to ``most_bytes``, all in one unit: MiB, GiB above 4 of them."""
    unit, name = (GIB, "GiB") if most_bytes >= 4 * GIB else (MIB, "MiB")
    rough = max(1e-3, most_bytes / unit / count)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(one * power for one in STEPS if one * power >= rough * 0.999)
    marks = [index * step for index in range(int(most_bytes / unit / step) + 1)]
    return tuple((mark * unit, f"{mark:,.6g} {name}" if mark else "0") for mark in marks)


def time_ticks(most_s: float, count: int = 6) -> tuple[tuple[float, str], ...]:
    """At most ``count`` round times after 0, up to ``most_s``, all in one unit."""
    step = next((one for one in TIME_STEPS_S if most_s / one <= count), TIME_STEPS_S[-1])
    marks = [index * step for index in range(int(most_s / step + 1e-9) + 1)]
    unit, name = (3600, "h") if step >= 3600 else (60, "min") if step >= 60 else (1, "s")
    return tuple((mark, f"{mark / unit:.4g} {name}" if mark else "0") for mark in marks)


def log_ticks(least: float, most: float) -> tuple[tuple[float, str], ...]:
    """Seconds 1, 2 and 5 of each decade between ``least`` and ``most``."""
    first, last = math.floor(math.log10(least)), math.ceil(math.log10(most))
    marks = [digit * 10.0**power for power in range(first, last + 1) for digit in (1, 2, 5)]
    inside = [mark for mark in marks if least * 0.999 <= mark <= most * 1.001]
    return tuple((mark, show_duration(mark)) for mark in _fewer(inside))


def _fewer(marks: Sequence[float], most: int = 8) -> Sequence[float]:
    return marks if len(marks) <= most else marks[:: math.ceil(len(marks) / most)]
