"""Refusals about cards: the whole sum of one worker, and the dtype, the input or the card that would make it fit."""

from __future__ import annotations

from collections.abc import Sequence

from mlpack.errors import DoesNotFit
from mlpack.planner.gpu_cards import Card, room
from mlpack.planner.gpu_dtype import computes
from mlpack.planner.gpu_need import HEADROOM, CardNeed
from mlpack.planner.machines import catalogue
from mlpack.planner.subject import Subject
from mlpack.runtimes.loading import LOAD_BYTES, loaded_bytes, stored_dtype
from mlpack.spec import LoadDtype
from mlpack.units import MIB, show_mib

NARROWER: tuple[LoadDtype, ...] = ("bf16", "fp16", "int8", "int4")


def refuse_card(subject: Subject, need: CardNeed, workers: int, cards: Sequence[Card]) -> DoesNotFit:
    """One worker (or all the user's workers that must share a card) needs more than any card has."""
    largest = max(cards, key=lambda card: card.room_bytes)
    must = need.must_bytes * workers
    kind = "measured, with headroom" if need.measured else f"lower bounds of an estimate of {show_mib(need.bytes)}"
    times = "" if workers == 1 else f"{workers} workers of "
    lines = [
        f"{times}{subject.name} needs {show_mib(must)} on one card, {_name(largest)} has "
        f"{show_mib(largest.room_bytes)} to plan with: {show_mib(must - largest.room_bytes)} short ({kind})"
    ]
    regions = [region for region in subject.footprint.regions if region.kind == "gpu"]
    for term, region in zip(need.terms, regions, strict=True):
        each = term.each_bytes if need.measured else region.lower_bytes
        if each:
            times_ = f" ({term.count} x {show_mib(each)})" if term.count > 1 else ""
            lines.append(f"  {show_mib(each * term.count):>12}  {term.name}{times_}")
    ways = [
        *_fewer(subject, need, workers, largest),
        *_narrower(subject, must, workers, largest),
        *_larger(must, cards),
    ]
    whole = sum(card.room_bytes for card in cards)
    if len(cards) > 1 and whole >= must:
        ways.append("spreading one model over several cards (tensor parallelism, vLLM) is not planned for yet")
    return DoesNotFit("\n".join(lines), where=f"services.{subject.name}.device", hint="; or ".join(ways) or "use `cpu`")


def refuse_together(needs: Sequence[tuple[str, int]], cards: Sequence[Card]) -> DoesNotFit:
    """Each service fits a card by itself, all of them together do not."""
    lines = ["the services do not fit the cards together, each worker on one card:"]
    lines += [f"  {show_mib(count):>12}  {name}" for name, count in needs]
    lines += [f"  {show_mib(card.room_bytes):>12}  to plan with on {_name(card)}" for card in cards]
    last = max(needs, key=lambda one: one[1])[0]
    hint = f"put one on the processor: services.{last}.device: cpu; or fewer workers, or another card"
    return DoesNotFit("\n".join(lines), where="device", hint=hint)


def fitting_card(must_bytes: int) -> str | None:
    """The smallest card of the catalogue on which ``must_bytes`` may be planned."""
    known = [(card.memory_mib, card.name) for card in catalogue().cards.values()]
    return next((name for memory, name in sorted(known) if room(memory * MIB) >= must_bytes), None)


def _larger(must: int, cards: Sequence[Card]) -> list[str]:
    found = fitting_card(must)
    return [] if found is None or found in {card.plan.name for card in cards} else [f"a card like {found}"]


def _fewer(subject: Subject, need: CardNeed, workers: int, card: Card) -> list[str]:
    if workers == 1 or need.must_bytes > card.room_bytes:
        return []
    return [f"workers: {card.room_bytes // need.must_bytes} for {subject.name}"]


def _narrower(subject: Subject, must: int, workers: int, card: Card) -> list[str]:
    """The widest dtype that would make it fit, for a service of one model whose header is known."""
    if len(subject.infos) != 1 or not subject.infos[0].dtypes or subject.infos[0].format == "gguf":
        return []
    info = subject.infos[0]
    now = info.weights_bytes
    headroom = HEADROOM if subject.footprint.source == "measured" else 1.0
    for dtype in NARROWER:
        narrower = LOAD_BYTES[dtype] < LOAD_BYTES[stored_dtype(info) or "fp32"]
        saved = round((now - loaded_bytes(info, dtype)) * headroom) * workers
        if narrower and computes(card.capability, dtype) and must - saved <= card.room_bytes:
            return [f"its weights in {dtype} (about {show_mib(saved)} less): models.{subject.service.models[0]}.dtype"]
    return []


def _name(card: Card) -> str:
    part = f" {card.plan.instance}" if card.plan.instance else ""
    return f"{card.plan.name}{part}"
