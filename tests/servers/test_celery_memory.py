"""When a child that grew is replaced: above what was measured, below what the container may hold."""

from __future__ import annotations

from tests.planner.build import footprint, plan

from mlpack.servers.celery import argv, child_kib
from mlpack.units import KIB

WORKER = {"server": "celery", "app": "a:b", "workers": 3, "models": []}


def test_a_measured_child_is_replaced_above_its_largest_task_and_below_the_limit() -> None:
    made = plan({"worker": WORKER}, {"worker": footprint("worker")})
    most, memory = child_kib(made, "worker"), made.services["worker"].memory
    assert most is not None
    one = (
        100 + 50 + 60 + 30 + 20
    )  # MiB: what the footprint says of one process and one task, its passing load peak left out
    assert most * KIB > one * 1024 * KIB
    assert most * KIB < memory.limit_bytes.value
    words = argv(made, "worker")
    assert words[words.index("--max-memory-per-child") + 1] == str(most)


def test_nothing_is_replaced_by_an_unmeasured_number_or_with_models() -> None:
    assert child_kib(plan({"worker": WORKER}, {}), "worker") is None
    loads = {**WORKER, "models": ["m"]}
    assert child_kib(plan({"worker": loads}, {"worker": footprint("worker")}), "worker") is None
