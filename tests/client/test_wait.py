"""Waiting: one total deadline, progress on the way, and no waiting for what has died."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from mlpack.client.wait import wait
from mlpack.errors import VerifyError


class Clock:
    """A clock that only sleeping moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def answers(*reasons: str | None) -> Callable[[], str | None]:
    """A question that gets these answers in turn, the last one for ever."""
    left: Iterator[str | None] = iter(reasons)
    last: list[str | None] = []

    def ask() -> str | None:
        last[:] = [next(left, last[0] if last else None)]
        return last[0]

    return ask


def test_ready_at_once_or_after_a_while() -> None:
    clock = Clock()
    assert wait(answers(None), 10, what="web", clock=clock, sleep=clock.sleep) == 0
    told: list[tuple[float, str]] = []
    ask = answers("no connection", "status 503", None)
    took_s = wait(ask, 10, what="web", progress=lambda *told_now: told.append(told_now), clock=clock, sleep=clock.sleep)
    assert took_s == 0.5
    assert told == [(0, "no connection"), (0.25, "status 503")]


def test_the_deadline_is_total_and_names_the_last_reason() -> None:
    clock = Clock()
    with pytest.raises(VerifyError, match=r"web was not ready within 1\.1 s; last: status 503"):
        wait(answers("no connection", "status 503"), 1.1, what="web", clock=clock, sleep=clock.sleep)
    assert clock.now == pytest.approx(101.1)


def test_what_died_is_not_waited_for() -> None:
    clock = Clock()
    with pytest.raises(VerifyError, match="web will never be ready: exit code 3"):
        wait(answers("no connection"), 600, what="web", gone=lambda: "exit code 3", clock=clock, sleep=clock.sleep)
    assert clock.now == 100
