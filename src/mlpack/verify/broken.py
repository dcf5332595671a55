"""Broken and oversized bodies, made from a right request of mlpack.yaml. Pure but for its sample files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mlpack.client.files import Files
from mlpack.client.message import Message, message
from mlpack.plan import Plan
from mlpack.spec import Step
from mlpack.units import MIB, show_mib

MOST_BYTES = 64 * MIB
"""A larger body is not sent: it would be this machine's memory that is tried."""


@dataclass(frozen=True)
class Broken:
    """A message that must not be served, and why. ``too_large``: it is beyond a stated max_body, and must be refused;
    what is merely broken may be answered in any way that leaves the service well."""

    what: str
    message: Message
    too_large: bool = False


def first_step(plan: Plan, service: str, names: tuple[str, ...]) -> Step | None:
    """The first step of a request that carries a body to ``service`` (or a proxy before it)."""
    front = {service} | {name for name, one in plan.spec.services.items() if one.to == service}
    for name in names:
        step = plan.spec.requests[name].steps[0]
        if not step.run and step.to in front and (step.json_ is not None or step.file):
            return step
    return None


def variants(step: Step, files: Files, secrets: Mapping[str, str], max_body_bytes: int | None) -> tuple[Broken, ...]:
    """The broken messages of ``step``. Raises MlpackError where its samples cannot be read."""
    right = message(step, files, secrets, {})
    half = right.body[: max(1, len(right.body) // 2)]
    found = [
        Broken("a body cut off in the middle", replace(right, body=half)),
        Broken("an empty body", replace(right, body=b"")),
        Broken("bytes that are no text", replace(right, body=b"\x00\xff\xfe{" * 64)),
    ]
    if step.json_ is not None:
        found.append(Broken("JSON of another kind", replace(right, body=b'[[[]], "\\u0000", -1e308, null]')))
    if max_body_bytes is not None and max_body_bytes < MOST_BYTES:
        body = right.body + b" " * (max_body_bytes + 1 - len(right.body))
        what = f"a body of more than the {show_mib(max_body_bytes)} of max_body"
        found.append(Broken(what, replace(right, body=body), too_large=True))
    return tuple(found)


def bound_of(plan: Plan, service: str, step: Step) -> int | None:
    """The smallest max_body on the way of ``step`` to ``service``; None where none is stated."""
    names = {service, step.to or service}
    bounds = [plan.spec.services[name].max_body_bytes for name in names]
    return min((bound for bound in bounds if bound is not None), default=None)
