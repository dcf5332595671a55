"""Which planned cards this machine has: what needs one that is not there is not proven, and never passed. Pure."""

from __future__ import annotations

from mlpack.host import HostFacts
from mlpack.plan import Plan

WITHOUT_CARD = frozenset({"builds", "cards"})
"""Checks that mean something on a machine without the cards: files, engine, build."""


def planned_cards(plan: Plan) -> dict[str, str]:
    """Every card that some service computes on: how CUDA names it, and its name."""
    found = {}
    for service in plan.services.values():
        for card in service.gpu.cards if service.gpu else ():
            found[card.key] = f"{card.name} {card.instance}" if card.instance else card.name
    return found


def missing_cards(plan: Plan, host: HostFacts) -> str | None:
    """Why the deployment cannot be proven here; None where every planned card is, or none is planned.

    A plan for a machine that was not probed names its cards by number.
    """
    there = {card.uuid for card in host.gpus.devices} | {
        part.uuid for card in host.gpus.devices for part in card.instances
    }
    there |= {str(index) for index, card in enumerate(host.gpus.devices) if card.vendor == "nvidia"}
    absent = [f"{name} ({key})" for key, name in planned_cards(plan).items() if key not in there]
    if not absent:
        return None
    count = sum(card.vendor == "nvidia" for card in host.gpus.devices)
    has = "no NVIDIA card" if not count else f"{count} other NVIDIA cards" if count > 1 else "another NVIDIA card"
    return f"planned for {', '.join(absent)}; this machine has {has}"
