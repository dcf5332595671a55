"""The cards that a plan may use, with the room on each: whole cards, and of split ones their MIG instances."""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.host import GpuFacts, HostFacts
from mlpack.plan import CardPlan
from mlpack.units import MIB

KEPT_SHARE, KEPT_BYTES = 0.05, 512 * MIB
"""Of a card, never planned: what driver and firmware hold (2 to 3 % of the total that NVML tells) and a screen's
windows. Free memory is not read for a plan: it changes by the minute, and a lock keeps none of it."""
MANY = 1_000_000


@dataclass(frozen=True)
class Card:
    """A card or MIG instance. ``slots``: processes that may use it at once."""

    plan: CardPlan
    slots: int = MANY

    @property
    def room_bytes(self) -> int:
        """What may be planned on it."""
        return self.plan.usable_bytes

    @property
    def capability(self) -> tuple[int, int]:
        """Compute capability; where NVML does not tell, the oldest that today's wheels know."""
        return self.plan.compute_capability or (7, 5)


def usable_cards(host: HostFacts) -> tuple[Card, ...]:
    """NVIDIA cards that can compute, in NVML's order; instances of a split card stand in its place."""
    return tuple(
        card for index, facts in enumerate(host.gpus.devices) if not unusable(facts) for card in _parts(index, facts)
    )


def unusable(facts: GpuFacts) -> str | None:
    """Why a card cannot be planned for; None where it can."""
    if facts.vendor != "nvidia":
        return f"{facts.name}: mlpack plans for NVIDIA cards only so far"
    if facts.compute_mode == "prohibited":
        return f"{facts.name}: its compute mode forbids every program (nvidia-smi --compute-mode=0)"
    if facts.mig and not any(one.memory_total_bytes for one in facts.instances):
        return f"{facts.name} is split by MIG, but no instance is made (nvidia-smi mig -cgi ... -C)"
    if not facts.mig and not facts.memory_total_bytes:
        return f"{facts.name}: NVML does not tell its memory"
    return None


def room(total_bytes: int) -> int:
    """What of a card's memory may be planned."""
    return max(0, total_bytes - max(KEPT_BYTES, int(total_bytes * KEPT_SHARE)))


def _parts(index: int, facts: GpuFacts) -> tuple[Card, ...]:
    slots = 1 if facts.compute_mode == "exclusive-process" else MANY
    if not facts.mig:
        return (Card(_plan(index, facts, facts.uuid, None, facts.memory_total_bytes or 0), slots),)
    return tuple(
        Card(_plan(index, facts, one.uuid, one.name, one.memory_total_bytes), slots)
        for one in facts.instances
        if one.memory_total_bytes
    )


def _plan(index: int, facts: GpuFacts, uuid: str | None, part: str | None, total: int) -> CardPlan:
    # an instance's own reserve is part of what the whole card held back: only the share is taken off
    usable = int(total * (1 - KEPT_SHARE)) if part else room(total)
    return CardPlan(
        index=index,
        name=facts.name,
        uuid=uuid,
        instance=part,
        minor=facts.minor,
        compute_capability=facts.compute_capability,
        total_bytes=total,
        usable_bytes=usable,
    )
