"""Bytes, durations and rates as people write them, read and printed in one place.

Sizes are binary (``8G`` is 8 GiB), as Docker, Compose and systemd read them.
"""

from __future__ import annotations

import re

KIB = 1024
MIB = 1024**2
GIB = 1024**3
TIB = 1024**4

_BYTE_UNITS = {"": 1, "b": 1, "k": KIB, "m": MIB, "g": GIB, "t": TIB}
_BYTES = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?\s*$", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_bytes(text: str | int) -> int:
    """Bytes in ``text``: ``8G``, ``512MiB``, ``1.5g``, or a bare count of bytes. Raises ValueError."""
    if isinstance(text, int):
        return text
    match = _BYTES.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a size; write it like 512M or 8G")
    number, unit = match.groups()
    return round(float(number) * _BYTE_UNITS[unit.lower()])


def parse_duration(text: str | float) -> float:
    """Seconds in ``text``: ``90s``, ``10m``, ``1h30m``, ``500ms``, or a bare number of seconds. Raises ValueError."""
    if isinstance(text, int | float):
        return float(text)
    compact = text.replace(" ", "").lower()
    parts = _DURATION_PART.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise ValueError(f"{text!r} is not a duration; write it like 90s, 10m or 500ms")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def parse_rate(text: str | float) -> float:
    """Events per second in ``text``: ``20/s``, ``100/m``, or a bare number per second. Raises ValueError."""
    if isinstance(text, int | float):
        return float(text)
    number, slash, unit = text.replace(" ", "").partition("/")
    if not slash or unit not in _SECONDS:
        raise ValueError(f"{text!r} is not a rate; write it like 20/s or 100/m")
    return float(number) / _SECONDS[unit]


def show_bytes(count: int) -> str:
    """``count`` for people: ``820 MiB``, ``1.94 GiB``; three significant digits, never rounded to zero."""
    for size, name in ((TIB, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if abs(count) >= size:
            value = count / size
            return f"{value:.0f} {name}" if abs(value) >= 100 else f"{value:.3g} {name}"
    return f"{count} B"


def show_mib(count: int) -> str:
    """``count`` bytes in MiB, for sums whose rows a reader adds up: ``1,178 MiB``, small ones as ``2.5 MiB``; in KiB
    what would read as none."""
    value = count / MIB
    if 0 < abs(value) < 0.05:
        return f"{count / KIB:.3g} KiB"
    return f"{value:.1f} MiB" if 0 < abs(value) < 9.95 and value != int(value) else f"{value:,.0f} MiB"


def counted(number: int, one: str) -> str:
    """``1 worker``, ``2 workers``: a number with its word."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def show_duration(seconds: float) -> str:
    """``seconds`` for people: ``450 ms``, ``12 s``, ``10 min``, ``1.5 h``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    if seconds < 7200:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:.3g} h"


def ceil_mib(count: float) -> int:
    """The smallest whole number of MiB that holds ``count`` bytes, in bytes: limits are rendered in whole MiB."""
    return -int(-count // MIB) * MIB
