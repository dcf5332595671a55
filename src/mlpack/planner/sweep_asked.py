"""Which number a sweep changes and the values it tries: ``workers=1..8``, ``web.workers=1,2,4``, ``ram=4G..64G``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlpack.errors import UsageError
from mlpack.spec import Spec
from mlpack.units import GIB, parse_bytes, show_bytes

HOST_NUMBERS = ("ram", "cores")
SERVICE_NUMBERS = ("workers", "threads", "concurrency", "replicas")
MOST_POINTS = 64


@dataclass(frozen=True)
class Sweep:
    """One number and the values to try. ``service`` is None where it is the host's."""

    number: str
    service: str | None
    values: tuple[int, ...]

    @property
    def name(self) -> str:
        """``ram``, ``web.workers``."""
        return self.number if self.service is None else f"{self.service}.{self.number}"

    def show(self, value: int) -> str:
        """``value`` as a person writes it."""
        return show_bytes(value) if self.number == "ram" else str(value)


def parse_sweep(text: str, spec: Spec) -> Sweep:
    """``workers=1..8``, ``web.workers=1,2,4``, ``ram=4G..64G``, ``cores=1..16``: what to try. Raises UsageError."""
    path, equals, span = text.partition("=")
    *above, number = [part.strip() for part in path.removeprefix("services.").split(".")]
    known = number in SERVICE_NUMBERS or (number in HOST_NUMBERS and not above)
    if not equals or not known or len(above) > 1:
        names = ", ".join((*HOST_NUMBERS, *SERVICE_NUMBERS))
        raise UsageError(
            f"{text!r} is nothing to sweep", where="--sweep", hint=f"one of {names}: workers=1..8 or ram=4G..64G"
        )
    service = _service(above, spec) if number in SERVICE_NUMBERS else None
    return Sweep(number, service, _values(number, span.strip()))


def _service(above: Sequence[str], spec: Spec) -> str:
    if above and above[0] not in spec.services:
        hint = f"services: {', '.join(spec.services)}"
        raise UsageError(f"there is no service {above[0]!r}", where="--sweep", hint=hint)
    if above:
        return above[0]
    computing = [name for name, service in spec.services.items() if service.models]
    candidates = computing or list(spec.services)
    if len(candidates) != 1:
        hint = f"write {candidates[0]}.workers=1..8" if candidates else "there is no service"
        raise UsageError(f"which service? {', '.join(candidates)}", where="--sweep", hint=hint)
    return candidates[0]


def _values(number: str, span: str) -> tuple[int, ...]:
    try:
        if ".." in span:
            first, last = (_value(number, part) for part in span.split("..", 1))
            values = _between(number, first, last)
        else:
            values = tuple(_value(number, part) for part in span.split(","))
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{span!r}: {error}", where="--sweep", hint=f"write {_example(number)}") from error
    if min(values, default=0) < 1 or len(values) > MOST_POINTS or sorted(set(values)) != list(values):
        what = f"{span!r} is not a rising series of at most {MOST_POINTS} numbers above zero"
        raise UsageError(what, where="--sweep", hint=f"write {_example(number)}")
    return values


def _value(number: str, text: str) -> int:
    return parse_bytes(text.strip()) if number == "ram" else int(text)


def _example(number: str) -> str:
    return "ram=4G..64G or ram=4G,6G,8G" if number == "ram" else f"{number}=1..8 or {number}=1,2,4"


def _between(number: str, first: int, last: int) -> tuple[int, ...]:
    """Memory as it is sold, doubling with the half in between; counts one by one up to 16, then doubling."""
    if number != "ram" and last - first < 16:
        return tuple(range(first, last + 1))
    if first < 1:
        return ()
    values: list[int] = []
    step = first
    while step < last and len(values) <= MOST_POINTS:
        values.append(step)
        half = step * 3 // 2
        if number == "ram" and half < last and half % (GIB // 2) == 0:
            values.append(half)
        step *= 2
    return (*values, last) if first <= last else ()
