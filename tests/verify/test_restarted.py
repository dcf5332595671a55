"""What is tried of a service that is one process, and what is only said; what is remembered over a restart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.verify import hand

from mlpack.launchers.base import Keeping, State
from mlpack.meter.cgroup import Counters
from mlpack.spec import Settings
from mlpack.verify.asking import Asker
from mlpack.verify.restarted import restarted
from mlpack.verify.run import Answer, Run
from mlpack.verify.watch import Watch


class Kept:
    """An instance whose keeper is asked twice: once to restart it, and once no more to."""

    service, name, url, container = "web", "web-1", "http://127.0.0.1:1", None

    def __init__(self, problem: str | None = None) -> None:
        self.problem, self.asked = problem, list[bool]()

    def let_restart(self, *, on: bool) -> Keeping:
        """Note it."""
        self.asked.append(on)
        return Keeping("always", self.problem)

    @property
    def root_pid(self) -> int:
        """Asked only when it is to be killed."""
        raise RuntimeError("a bug in what follows")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Of a service that is planned to be started again."""
    return Run(tmp_path, hand.lock(), None, {}, lambda _: None)  # type: ignore[arg-type]


EYES: Any = SimpleNamespace(processes=lambda: (), root=1)


def test_what_nobody_is_planned_to_start_again_is_not_killed(run: Run) -> None:
    spec = run.plan.spec.model_copy(update={"settings": Settings(restart="no")})
    run.lock = run.lock.model_copy(update={"plan": run.plan.model_copy(update={"spec": spec})})
    kept = Kept()
    found = restarted(run, kept, EYES)  # type: ignore[arg-type]
    assert isinstance(found, str)
    assert "settings.restart is no" in found
    assert kept.asked == []


def test_what_has_no_keeper_here_is_not_proven(run: Run) -> None:
    kept = Kept("nobody does")
    found = restarted(run, kept, EYES)  # type: ignore[arg-type]
    assert isinstance(found, Answer)
    assert found.status == "not_proven"
    assert "nobody does" in found.summary
    assert kept.asked == [True, False]


def test_the_policy_is_taken_back_whatever_happens(run: Run) -> None:
    kept = Kept()
    with pytest.raises(RuntimeError):
        restarted(run, kept, EYES)  # type: ignore[arg-type]
    assert kept.asked == [True, False]


def test_a_service_that_moved_is_asked_where_it_is(tmp_path: Path) -> None:
    asker = Asker({}, {"web": "http://a:1", "proxy": "http://a:2"}, tmp_path, {}, timeout_s=1, secrets={})
    asker.moved("http://a:1", "http://a:3")
    asker.moved(None, "http://a:4")
    assert asker.bases == {"web": "http://a:3", "proxy": "http://a:2"}


def test_kills_of_a_group_that_is_gone_still_count() -> None:
    """A container that is started again has a new group of the same name, which counts from 0."""
    first = Counters(0, 0, 0, None, 0, None, oom_kills=2, throttled_s=None, limit_bytes=None)
    readings: Iterator[Counters | None] = iter([first, None, replace(first, oom_kills=0), replace(first, oom_kills=1)])
    watch = Watch(Kept(), None, lambda: next(readings), "", own_group=True)  # type: ignore[arg-type]
    assert [watch.oom_kills(State("running", running=True)) for _ in range(4)] == [2, 2, 2, 3]
