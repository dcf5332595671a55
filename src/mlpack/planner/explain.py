"""What was decided, number by number: dotted path, value, source and reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import BaseModel

from mlpack.errors import UsageError
from mlpack.plan import Decided, Plan
from mlpack.units import show_duration, show_mib


class Explained(NamedTuple):
    """One decision, readable."""

    path: str
    value: str
    source: str
    because: str


def explain(plan: Plan, path: str | None = None) -> list[Explained]:
    """Every decision of ``plan``, or those at or below ``path`` (``services.web``, ``services.web.workers``).

    Raises UsageError with the nearest path where there is none.
    """
    rows = [
        Explained(where, show(where, decided.value), decided.source, decided.because)
        for where, decided in walk(plan, "")
    ]
    if path is None:
        return rows
    found = [row for row in rows if row.path == path or row.path.startswith(f"{path}.")]
    if not found:
        near = get_close_matches(path, [row.path for row in rows], n=1, cutoff=0.5)
        raise UsageError(f"nothing was decided at {path!r}", hint=f"did you mean {near[0]}?" if near else None)
    return found


def walk(value: object, path: str) -> Iterator[tuple[str, Decided[Any]]]:
    """Every ``Decided`` below ``value`` with its dotted path; what the user wrote (``spec``) has none."""
    if isinstance(value, Decided):
        yield path, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from walk(getattr(value, name), f"{path}.{name}" if path else name)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from walk(item, f"{path}.{name}")


def show(path: str, value: object) -> str:
    """``value`` for people, by the unit in its name: bytes in MiB, seconds, yes or no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and path.endswith("_bytes"):
        return show_mib(value)
    if isinstance(value, int | float) and path.endswith("_s"):
        return show_duration(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
