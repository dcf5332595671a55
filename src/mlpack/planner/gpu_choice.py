"""On what each service computes: a card where one is asked for, or `auto` finds that one serves; and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mlpack.errors import DoesNotFit, SpecError
from mlpack.footprint import Footprint
from mlpack.host import HostFacts
from mlpack.plan import Decided, ImageBase
from mlpack.planner.gpu_access import access
from mlpack.planner.gpu_cards import Card, usable_cards
from mlpack.planner.gpu_fit import Bench, Candidate, candidate, spreads, together
from mlpack.planner.gpu_need import CardNeed
from mlpack.planner.gpu_place import Demand, place
from mlpack.planner.gpu_refusal import refuse_together
from mlpack.planner.subject import Subject
from mlpack.report import Finding
from mlpack.spec import Spec
from mlpack.units import ceil_mib, counted, show_mib


@dataclass(frozen=True)
class Seated:
    """One service on cards: the need of one worker and the cards of all, the first ones apart."""

    subject: Subject
    need: CardNeed
    seats: tuple[int, ...]
    because: str
    access: Decided[str]
    layers: int | None = None
    """Layers of a GGUF model on the card; None: all."""
    base: ImageBase | None = None


@dataclass(frozen=True)
class Seating:
    """All services on cards, the cards there are, and what the user should know."""

    cards: tuple[Card, ...]
    seated: Mapping[str, Seated]
    findings: tuple[Finding, ...] = ()


def seat(
    host: HostFacts,
    spec: Spec,
    subjects: Mapping[str, Subject],
    on_cards: Mapping[str, Footprint],
    requirements: Mapping[str, Sequence[str]],
) -> Seating:
    """Settle the device of every service with models and its place on the cards.

    ``on_cards``: the footprint of a service's process on a card, where its runtimes can compute on one.
    Raises DoesNotFit or SpecError where a service insists on a card and cannot have it.
    """
    cards = usable_cards(host)
    bench = Bench(host, spec, cards, on_cards, requirements)
    findings: list[Finding] = []
    found: dict[str, Candidate] = {}
    for name, subject in subjects.items():
        asked = subject.service.device or spec.device
        if not subject.computes or asked == "cpu":
            continue
        if asked == "auto" and not any(card.vendor == "nvidia" for card in host.gpus.devices):
            continue
        try:
            found[name] = candidate(bench, subject)
        except (DoesNotFit, SpecError) as error:
            if asked == "gpu":
                raise
            findings.append(_on_cpu(name, error.what.splitlines()[0]))
    found, seats, crowded, unsure = _settle(found, cards)
    findings += [_on_cpu(name, "the cards are full: others need them") for name in crowded]
    seated = {
        name: Seated(one.subject, one.need, taken, _because(taken, cards), access(host, spec), one.layers, one.base)
        for (name, one), taken in zip(found.items(), seats, strict=True)
    }
    findings += [_on_gpu(name, one) for name, one in seated.items() if found[name].asked == "auto"]
    findings += [_unsure(name, found[name].need, needs) for name, needs in unsure.items()]
    findings += [_one_of_many(one.subject, len(cards)) for one in seated.values() if _leaves_cards(one, cards)]
    return Seating(cards, seated, tuple(findings))


def _demand(one: Candidate, cards: int) -> Demand:
    subject, workers = one.subject, one.subject.service.workers
    copies = together(subject)
    if not spreads(subject):
        return Demand(one.need.bytes * copies, 1, 1, 1, one.cards, copies)
    most = workers or (1 if subject.reload else min(cards, len(one.cards)))
    return Demand(one.need.bytes * copies, workers or 1, most, workers or 1, one.cards, copies)


def _settle(
    found: dict[str, Candidate], cards: tuple[Card, ...]
) -> tuple[dict[str, Candidate], tuple[tuple[int, ...], ...], list[str], dict[str, CardNeed]]:
    """Seats for all; those that only `auto` put on cards give way where the cards are full, the largest first.

    Where the rest still does not fit, estimates are held to what they surely need, with no worker more than asked for;
    the last part has their whole needs. Raises DoesNotFit where that fits neither.
    """
    left, out = dict(found), list[str]()
    while left:
        seats = place([_demand(one, len(cards)) for one in left.values()], cards)
        if seats is not None:
            return left, seats, out, {}
        may_go = [name for name, one in left.items() if one.asked == "auto"]
        if not may_go:
            break
        gone = max(may_go, key=lambda name: (left[name].need.bytes, name))
        out.append(gone)
        del left[gone]
    wide = {name: one.need for name, one in left.items() if not one.need.measured}
    for name, need in wide.items():
        left[name] = replace(left[name], need=replace(need, bytes=min(need.bytes, ceil_mib(need.lower_bytes))))
    least = [_demand(one, len(cards)) for one in left.values()]
    seats = place([replace(one, most=one.least) for one in least], cards) if left else ()
    if seats is None:
        raise refuse_together([(name, one.need.bytes * together(one.subject)) for name, one in left.items()], cards)
    return left, seats, out, wide


def _leaves_cards(one: Seated, cards: tuple[Card, ...]) -> bool:
    return len(cards) > 1 and not spreads(one.subject)


def _because(seats: tuple[int, ...], cards: tuple[Card, ...]) -> str:
    names = ", ".join(dict.fromkeys(cards[index].plan.name for index in seats))
    return f"{names}, {len(set(seats))} of {counted(len(cards), 'card')}"


def _on_cpu(name: str, why: str) -> Finding:
    message = f"{name} computes on the processor, though there is a card: {why}"
    return Finding(code="gpu-not-used", severity="note", message=message, where=f"services.{name}.device")


def _on_gpu(name: str, one: Seated) -> Finding:
    return Finding(
        code="gpu-used",
        severity="note",
        message=f"{name} computes on {one.because}, as `device: auto` found: the app itself must move its model there",
        where=f"services.{name}.device",
        hint="`device: cpu` keeps it on the processor",
    )


def _unsure(name: str, sure: CardNeed, wide: CardNeed) -> Finding:
    return Finding(
        code="estimate-may-not-fit",
        severity="warning",
        message=f"a worker of {name} is estimated to need {show_mib(wide.bytes)} of its card, which is not there; "
        f"it surely needs {show_mib(sure.bytes)}, and is planned with that",
        where=f"services.{name}.device",
        hint="measure it on the card: mlpack estimate --measure",
    )


def _one_of_many(subject: Subject, cards: int) -> Finding:
    name, pool = subject.name, subject.service.pool
    one = f"pool: {pool} is one process" if pool else f"{subject.facts.name} is one process"
    return Finding(
        code="cards-left",
        severity="note",
        message=f"{name} uses one of {cards} cards: {one}, and one model over several cards is not planned for yet",
        where=f"services.{name}.{'pool' if pool else 'server'}",
        hint="pool: prefork has a child for every card" if pool else "write one service for every card",
    )
