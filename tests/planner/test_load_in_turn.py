"""Workers load one after the other only where that makes them fit, and what waits for them then waits longer."""

from __future__ import annotations

from typing import Any

import pytest
from tests.planner.build import CELERY, GUNICORN, UVICORN, footprint, plan, region, subject

from mlpack.errors import DoesNotFit
from mlpack.plan import ServicePlan
from mlpack.planner.capacity import in_turn
from mlpack.planner.memory import need
from mlpack.planner.subject import Choice
from mlpack.planner.timeouts import load_bound_s, worker_load_bound_s
from mlpack.units import MIB

HEAVY = footprint(
    regions=(
        region("libraries", "import", "anonymous", "process", 100),
        region("weights", "load", "anonymous", "process", 200),
        region("load peak", "load", "anonymous", "moment", 400),
        region("activations", "serve", "anonymous", "request", 50),
    ),
    load_s=10.0,
)
"""While a worker loads it needs 700 MiB, later 350."""
FOUR: dict[str, Any] = {**GUNICORN, "workers": 4, "threads": 1, "concurrency": 1}
TOGETHER = need(subject(FOUR, HEAVY), Choice(4, 1, 1)).limit
TURNS = need(subject(FOUR, HEAVY), Choice(4, 1, 1, in_turn=True)).limit


def web(memory_bytes: int, service: dict[str, Any] = FOUR) -> ServicePlan:
    """The service under a budget."""
    return plan({"web": service}, {"web": HEAVY}, budget={"memory_bytes": memory_bytes}).services["web"]


def test_the_numbers_by_hand() -> None:
    constant = 13 + 5 * 2.5 + 10 + 1
    assert pytest.approx(1.05 * (4 * 700 + constant) * MIB, abs=MIB) == TOGETHER
    assert pytest.approx(1.05 * (4 * 300 + 400 + 3 * 50 + constant) * MIB, abs=MIB) == TURNS


def test_only_where_it_makes_it_fit() -> None:
    roomy, tight = web(TOGETHER), web(TOGETHER - MIB)
    assert roomy.load_in_turn is not None
    assert tight.load_in_turn is not None
    assert (roomy.load_in_turn.value, roomy.memory.limit_bytes.value) == (False, TOGETHER)
    assert (tight.load_in_turn.value, tight.memory.limit_bytes.value) == (True, TURNS)
    assert f"{TOGETHER // MIB:,} MiB" in tight.load_in_turn.because
    assert web(TURNS).workers.value == 4
    with pytest.raises(DoesNotFit, match="while one worker loads and the others serve"):
        web(TURNS - MIB)


def test_more_workers_fit() -> None:
    """Left to the planner: four workers, as all at once they would be fewer."""
    free = web(TURNS, {**GUNICORN, "threads": 1, "concurrency": 1})
    assert (free.workers.value, free.load_in_turn and free.load_in_turn.value) == (4, True)


def test_a_limit_of_the_users_counts_alike() -> None:
    insisted = web(16 * TOGETHER, {**FOUR, "memory_bytes": TURNS})
    assert insisted.load_in_turn is not None
    assert insisted.load_in_turn.value
    assert insisted.memory.limit_bytes.value == TURNS


def test_the_start_takes_longer_and_a_worker_does_not() -> None:
    one = subject(FOUR, HEAVY)
    together, turns = Choice(4, 1, 1), Choice(4, 1, 1, in_turn=True)
    assert (load_bound_s(one, together), load_bound_s(one, turns)) == (33, 123)  # (10 s load + 1 s start) x 3, 4 loads
    assert worker_load_bound_s(one, turns) == 33
    tight = web(TURNS)
    assert tight.health is not None
    assert tight.health.start_period_s.value == 125
    assert tight.health.start_period_s.because.startswith("4 loading one after the other take")
    assert tight.times.worker_s is not None
    assert tight.times.worker_s.value == 33


@pytest.mark.parametrize("service", [UVICORN, CELERY])
def test_what_cannot_wait_does_not(service: dict[str, Any]) -> None:
    assert in_turn(subject(service, HEAVY), Choice(4, 1, 1)) is None


def test_nobody_waits_alone_or_behind_a_master_that_has_loaded() -> None:
    one = subject(GUNICORN, HEAVY)
    assert in_turn(one, Choice(1, 1, 1)) is None
    assert in_turn(one, Choice(4, 1, 1, preload=True)) is None
