"""A worker that is away for a moment is being replaced; one that stays away is missed, and a kill for it is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.verify import hand

from mlpack.launchers.base import State
from mlpack.verify.asking import Asked
from mlpack.verify.checks import every_worker
from mlpack.verify.run import Answer, Run
from mlpack.verify.seeing import Seen


class Eyes:
    """A master and two workers, of which ``away`` says at each look whether the second is there."""

    root = 1

    def __init__(self, away: Any) -> None:
        self.looks, self.away, self.spent = 0, away, [0.0, 0.0]

    def processes(self) -> tuple[Seen, ...]:
        """One more look."""
        self.looks += 1
        workers = [Seen(11, 1, "w", ("w",), 1, self.spent[0]), Seen(12, 1, "w", ("w",), 1, self.spent[1])]
        return (Seen(1, 0, "master", ("master",), 1, 0.0), *workers[: 1 if self.away(self.looks) else 2])


class Asker:
    """Every answer is right; the first worker gives those until ``turns`` have been given."""

    def __init__(self, eyes: Eyes, turns: int) -> None:
        self.eyes, self.turns, self.given = eyes, turns, 0

    def ask(self, name: str) -> Asked:
        """One request."""
        self.given += 1
        self.eyes.spent[self.given > self.turns] += 0.01
        return Asked(name, 0.01)


class Instance:
    """Lives, and says nothing."""

    service, name, url, container, root_pid = "web", "web-1", "http://127.0.0.1:1", None, 1

    def state(self) -> State:
        """Running."""
        return State("running", running=True)

    def logs(self) -> tuple[str, ...]:
        """Nothing."""
        return ()


def prove(eyes: Eyes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, turns: int) -> Answer | str:
    """The check of one instance."""
    run = Run(tmp_path, hand.lock(), None, {}, lambda _: None)  # type: ignore[arg-type]
    asker = Asker(eyes, turns)
    monkeypatch.setattr(Run, "asking_at", lambda _self, _instance: asker)
    return every_worker._prove(run, Instance(), eyes, "double")  # type: ignore[arg-type]


def test_one_that_is_being_replaced_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the check has taken until then."""
    now = iter(range(0, 10_000, 3))
    monkeypatch.setattr("time.monotonic", lambda: float(next(now)))
    eyes = Eyes(lambda look: 12 <= look < 15)  # some 15 s after the start, for less than 10 s
    outcome = prove(eyes, tmp_path, monkeypatch, turns=6)
    assert isinstance(outcome, str), outcome
    assert "2 of 2 workers" in outcome


def test_one_that_stays_away_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 10_000, 3))
    monkeypatch.setattr("time.monotonic", lambda: float(next(now)))
    outcome = prove(Eyes(lambda look: look > 6), tmp_path, monkeypatch, turns=10_000)
    assert isinstance(outcome, Answer)
    assert outcome.status == "failed"
    assert "only 1 of 2 workers live" in outcome.summary
