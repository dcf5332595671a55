"""Which processes are workers, and which of them answered."""

from __future__ import annotations

import pytest

from mlpack.verify.seeing import Seen
from mlpack.verify.workers import spent_s, who_answered, who_took_part, worker_pids


def seen(pid: int, ppid: int, name: str = "python", *words: str) -> Seen:
    """A process of one thread."""
    return Seen(pid, ppid, name, words or (name,), 1, 0.0)


def test_gunicorns_children_are_its_workers_behind_an_init() -> None:
    processes = [seen(10, 1, "docker-init"), seen(11, 10, "gunicorn"), seen(12, 11), seen(13, 11), seen(14, 12)]
    assert worker_pids("gunicorn", 2, processes, 10) == (12, 13)


def test_a_health_check_beside_the_service_is_no_worker() -> None:
    processes = [seen(10, 1, "gunicorn"), seen(12, 10), seen(99, 5, "python", "healthcheck.py")]
    assert worker_pids("gunicorn", 1, processes, 10) == (12,)


def test_uvicorn_alone_is_its_own_worker_and_with_several_a_master() -> None:
    alone = [seen(10, 1)]
    assert worker_pids("uvicorn", 1, alone, 10) == (10,)
    tracker = seen(11, 10, "python", "-c", "from multiprocessing.resource_tracker import main")
    assert worker_pids("uvicorn", 2, [seen(10, 1), tracker, seen(12, 10), seen(13, 10)], 10) == (12, 13)


def test_no_worker_lives_when_the_server_is_gone() -> None:
    assert worker_pids("gunicorn", 2, [seen(10, 1, "tini")], 10) == ()
    assert worker_pids("gunicorn", 2, [], 10) == ()


def test_cpu_time_is_counted_per_worker_and_never_negative() -> None:
    assert spent_s({1: 5.0, 2: 5.0}, {1: 5.5, 2: 4.0, 3: 9.0}) == {1: 0.5, 2: 0.0, 3: 0.0}


@pytest.mark.parametrize(
    ("spent", "who"),
    [
        ({1: 0.4, 2: 0.001}, 1),
        ({1: 0.4}, 1),
        ({1: 0.4, 2: 0.2}, None),
        ({1: 0.0001, 2: 0.0}, None),
        ({}, None),
    ],
    ids=["clear", "only one", "two computed", "nobody computed", "nobody is there"],
)
def test_one_request_is_credited_to_one_worker_or_to_nobody(spent: dict[int, float], who: int | None) -> None:
    assert who_answered(spent) == who


def test_in_a_burst_half_a_request_is_enough_and_a_wake_up_is_not() -> None:
    assert who_took_part({1: 0.4, 2: 0.11, 3: 0.09, 4: 0.00005}, 0.2) == {1, 2}
    assert who_took_part({1: 0.0001}, 0.0) == frozenset()
