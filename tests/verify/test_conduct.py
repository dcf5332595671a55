"""Order, dependants, errors and teardown, with checks and a launcher made up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.verify import hand

from mlpack.errors import TransientError, VerifyError
from mlpack.report import VerifyReport
from mlpack.verify.conduct import conduct
from mlpack.verify.run import Answer, Run


class Stopping:
    """A launched deployment that only counts its ends."""

    name = "compose"
    not_limited = ("nothing",)

    def __init__(self, left: tuple[str, ...] = ()) -> None:
        self.left, self.stops = left, 0
        self.secrets = {"short": "hush", "long": "hush hush", "empty": ""}

    def stop(self) -> tuple[str, ...]:
        """Once more."""
        self.stops += 1
        return self.left


def fake(name: str, needs: tuple[str, ...], answer: Callable[[], Answer]) -> Any:
    """A check module."""
    return SimpleNamespace(NAME=name, NEEDS=needs, check=lambda _run: answer())


def passes() -> Answer:
    """Passed."""
    return Answer("passed", "fine")


def fails() -> Answer:
    """Failed."""
    return Answer("failed", "broken", ("why",), "mend it")


def raises(error: BaseException) -> Callable[[], Answer]:
    """A check that raises."""

    def answer() -> Answer:
        raise error

    return answer


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., VerifyReport]:
    """Conduct these checks."""

    def go(checks: list[Any], launched: Stopping | None = None, **values: Any) -> VerifyReport:
        run = Run(tmp_path, hand.lock(), launched or Stopping(), {}, lambda _: None)  # type: ignore[arg-type]
        return conduct(run, host_differs=("RAM",), checks=checks, **values)

    return go


def test_dependants_of_a_failure_are_skipped_and_say_so(ask: Callable[..., VerifyReport]) -> None:
    checks = [fake("a", (), fails), fake("b", ("a",), passes), fake("c", ("b",), passes), fake("d", (), passes)]
    report = ask(checks)
    assert [(r.name, r.status, r.summary) for r in report.checks] == [
        ("a", "failed", "broken"),
        ("b", "skipped", "a failed"),
        ("c", "skipped", "b was skipped"),
        ("d", "passed", "fine"),
        ("teardown", "passed", "nothing is left"),
    ]
    assert not report.passed
    assert (report.checks[0].evidence, report.checks[0].hint) == (("why",), "mend it")
    assert (report.host_differs, report.not_limited) == (("RAM",), ("nothing",))


def test_what_is_not_proven_stops_nobody(ask: Callable[..., VerifyReport]) -> None:
    report = ask([fake("a", (), lambda: Answer("not_proven", "unknown")), fake("b", ("a",), passes)])
    assert [r.status for r in report.checks] == ["not_proven", "passed", "passed"]
    assert report.passed


def test_left_out_on_request(ask: Callable[..., VerifyReport]) -> None:
    report = ask([fake("a", (), passes), fake("b", (), fails)], skip=("b",))
    assert report.checks[1].summary == "left out on request"
    assert report.passed


def test_an_expected_error_is_a_failed_check(ask: Callable[..., VerifyReport]) -> None:
    report = ask([fake("a", (), raises(VerifyError("first\nsecond", where="file", hint="do")))])
    result = report.checks[0]
    assert (result.status, result.summary, result.evidence, result.hint) == (
        "failed",
        "first",
        ("second", "at file"),
        "do",
    )


@pytest.mark.parametrize("error", [TransientError("engine down"), KeyboardInterrupt(), RuntimeError("a bug")])
def test_whatever_ends_it_everything_is_taken_down(ask: Callable[..., VerifyReport], error: BaseException) -> None:
    launched = Stopping()
    with pytest.raises(type(error)):
        ask([fake("a", (), raises(error))], launched)
    assert launched.stops == 1


def test_what_is_left_fails_the_teardown(ask: Callable[..., VerifyReport]) -> None:
    report = ask([fake("a", (), passes)], Stopping(("container abc",)))
    assert report.checks[-1].status == "failed"
    assert "container abc" in report.checks[-1].summary
    assert not report.passed


def test_secrets_are_blotted_out_of_every_result(ask: Callable[..., VerifyReport]) -> None:
    """Servers repeat what they were sent and log it; the longest value goes first, or its rest would stay."""
    answer = Answer("failed", "sent hush hush", ("it said hush",), "not hush")
    report = ask([fake("a", (), lambda: answer)])
    first = report.checks[0]
    assert (first.summary, first.evidence, first.hint) == ("sent ***", ("it said ***",), "not ***")
