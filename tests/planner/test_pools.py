"""Celery's pools: each its row of the fork table, its flags, and what it cannot do refused or said."""

from __future__ import annotations

from typing import Any

import pytest
from tests.planner.build import CELERY, footprint, plan, region

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.planner.task_limits import TaskLimit, clashes
from mlpack.servers import celery
from mlpack.units import MIB

QUEUE: dict[str, Any] = {"server": "redis"}
BROKER_ENV = {"CELERY_BROKER_URL": {"of": "queue", "fact": "url"}}


def planned(pool: str | None, source: str = "measured", **more: Any) -> Plan:
    """A queue's worker with a model in ``pool``."""
    asked = {**CELERY, "env": BROKER_ENV, **({"pool": pool} if pool else {}), **more}
    regions = (
        region("libraries", "import", "anonymous", "process", 100),
        region("weights", "load", "anonymous", "process", 500),
        region("activations", "serve", "anonymous", "request", 30),
    )
    return plan({"web": asked, "queue": QUEUE}, {"web": footprint(regions=regions, source=source)})


def flag(made: Plan, name: str) -> str | None:
    """The value of a flag of the rendered command; None where it is not there."""
    argv = celery.argv(made, "web")
    return argv[argv.index(name) + 1] if name in argv else None


@pytest.mark.parametrize(
    ("pool", "more", "fork_point", "at_once", "serving_mib"),
    [
        # the parent has imported, each of four children holds the weights and one task
        ("prefork", {"workers": 4}, "after-import", 4, 100 + 4 * (500 + 30)),
        # one process holds the weights once, and a request's memory for each thread
        ("threads", {"concurrency": 4}, "never", 4, 100 + 500 + 4 * 30),
        ("solo", {}, "never", 1, 100 + 500 + 30),
    ],
)
def test_each_pool_multiplies_what_it_copies(
    pool: str, more: dict[str, Any], fork_point: str, at_once: int, serving_mib: int
) -> None:
    made = planned(pool, **more)
    service = made.services["web"]
    assert service.fork_point == fork_point
    assert (flag(made, "--pool"), flag(made, "--concurrency")) == (pool, str(at_once))
    known = {"libraries", "weights", "activations"}
    serving = {term.name: term.total_bytes for term in service.memory.serve_terms if term.name in known}
    assert sum(serving.values()) == serving_mib * MIB


@pytest.mark.parametrize(
    ("pool", "source", "expected"),
    [
        ("prefork", "measured", {"celery master"}),
        ("threads", "measured", {"celery at work"}),
        ("solo", "measured", {"celery at work"}),
        ("prefork", "estimated", {"celery master"}),
        ("solo", "estimated", set()),  # the estimate has it among the program's own
    ],
)
def test_what_celery_does_at_work_is_counted_once(pool: str, source: str, expected: set[str]) -> None:
    """A measurement calls the task without Celery's worker around it; in one process its 12 MiB come on top."""
    made = planned(pool, source=source)
    terms = {term.name: term.total_bytes for term in made.services["web"].memory.serve_terms}
    found = {name: size for name, size in terms.items() if name.startswith("celery")}
    assert found == dict.fromkeys(expected, 12 * MIB)


def test_without_a_pool_it_is_prefork() -> None:
    assert celery.argv(planned(None), "web") == celery.argv(planned("prefork"), "web")


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_one_process_has_no_limits_no_children_and_says_so(pool: str) -> None:
    made = planned(pool)
    times, argv = made.services["web"].times, celery.argv(made, "web")
    assert (times.soft_s, times.hard_s, times.child_start_s) == (None, None, None)
    assert times.redelivery_s is not None
    assert times.redelivery_s.value > times.request_s.value
    assert argv[argv.index("--") :] == ("--", "task.acks_late=true")
    assert not {"--time-limit", "--soft-time-limit", "--max-tasks-per-child"} & set(argv)
    assert [(f.severity, f.where) for f in made.findings if f.code == "time-limits-off"] == [
        ("note", "services.web.pool")
    ]
    stated = [f for f in planned(pool, timeout_s=60).findings if f.code == "time-limits-off"]
    assert [(f.severity, f.where) for f in stated] == [("warning", "services.web.timeout")]
    assert "after the stated 60 s" in stated[0].message


@pytest.mark.parametrize(
    ("pool", "more", "where", "said"),
    [
        ("threads", {"workers": 2}, "workers", "pool: threads is one process, and 2 workers are asked for"),
        ("solo", {"workers": 2}, "workers", "pool: solo is one process, and 2 workers are asked for"),
        ("threads", {"recycle": 10}, "recycle", "celery with pool: threads does not replace one worker after another"),
        ("solo", {"concurrency": 2}, "concurrency", "nothing can hold web to 2 requests at once"),
        ("threads", {"preload": True}, "preload", "celery cannot load before it forks"),
    ],
)
def test_what_a_pool_cannot_do_is_refused(pool: str, more: dict[str, Any], where: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        planned(pool, **more)
    assert caught.value.where == f"services.web.{where}"
    assert said in caught.value.what


def test_threads_of_a_pool_share_the_cores() -> None:
    service = planned("threads", concurrency=4).services["web"]
    assert service.workers.value * service.concurrency.value * service.threads.value <= service.cpus.value


def test_a_decorators_limit_that_nothing_holds_is_named() -> None:
    limit = TaskLimit(task="tasks.slow", where="tasks.py:3", hard_s=30)
    silent = TaskLimit(task="tasks.quick", where="tasks.py:9")
    found = clashes("web", planned("solo").services["web"], [limit, silent])
    assert [(f.code, f.where) for f in found] == [("task-limit-unheld", "tasks.py:3")]
