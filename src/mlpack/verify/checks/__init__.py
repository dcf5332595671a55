"""The questions that verify asks, in their order; one a module."""

from __future__ import annotations

from mlpack.launchers.base import LauncherName
from mlpack.plan import Plan
from mlpack.verify.cards import planned_cards
from mlpack.verify.checks import (
    answers,
    builds,
    cards,
    every_worker,
    growth,
    health_busy,
    health_hung,
    load,
    memory,
    models_once,
    oom_kills,
    planned,
    ready,
    recovers,
    refuses,
    starts,
    stops,
    threads,
    throttled,
    user,
    writes,
)
from mlpack.verify.checks.base import Check

CHECKS: dict[str, Check] = {
    check.NAME: check
    for check in (
        builds,
        cards,
        starts,
        ready,
        every_worker,
        planned,
        user,
        answers,
        models_once,
        load,
        memory,
        health_busy,
        throttled,
        threads,
        growth,
        refuses,
        health_hung,
        recovers,
        oom_kills,
        writes,
        stops,
    )
}
"""Name -> module, in the order in which they are asked: what may harm the service comes after what measures it."""
TEARDOWN = "teardown"
"""Asked last, by the conductor itself: is anything left?"""


def checks_for(plan: Plan, launcher: LauncherName) -> tuple[Check, ...]:
    """The questions that mean something for ``plan``: others are not asked, rather than passed."""
    asked = {
        cards.NAME: bool(planned_cards(plan)),
        models_once.NAME: models_once.applies(plan),
        writes.NAME: writes.applies(launcher),
        user.NAME: launcher != "process",
    }
    return tuple(check for name, check in CHECKS.items() if asked.get(name, True))
