"""Trials: what was tried, what came of it; and the file that keeps them, so that a search can be gone on with."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import ValidationError

from mlpack.lock import Lock
from mlpack.noun import Noun
from mlpack.report import VerifyReport

STATE_NAME = "tune.json"
REFAULT_SHARE = 0.01
"""Of the mapped bytes, read back from disk per request: more is thrashing (verify's own bound)."""


class Trial(Noun):
    """One real run. ``settings``: what differed from the rendered deployment, in words of mlpack.yaml."""

    settings: dict[str, int]
    good: bool
    words: str
    requests_per_s: float = 0.0
    p95_s: float = 0.0
    need_bytes: int = 0
    surely_bytes: int = 0
    """Anonymous and kernel memory: below it no limit holds."""
    mapped_bytes: int = 0
    duration_s: float = 0.0


class State(Noun):
    """tune.json: all trials of one deployment. Another lock or service makes them void."""

    schema_version: int = 1
    inputs_sha256: str
    trials: tuple[Trial, ...] = ()

    def known(self, settings: dict[str, int]) -> Trial | None:
        """The trial of exactly ``settings``; None where there was none."""
        return next((trial for trial in self.trials if trial.settings == settings), None)


def inputs_of(lock: Lock, service: str) -> str:
    """What trials depend on: the plan, the machine and the models of the lock, and which service is searched for."""
    return hashlib.sha256(f"{service}\n{lock.to_json()}".encode()).hexdigest()


def read_state(file: Path, inputs: str) -> State:
    """The trials that ``file`` holds of the same inputs; none where it holds none, or is no such file."""
    try:
        state = State.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValidationError, ValueError):
        return State(inputs_sha256=inputs)
    return state if state.inputs_sha256 == inputs else State(inputs_sha256=inputs)


def judged(settings: dict[str, int], service: str, report: VerifyReport) -> Trial:
    """The trial that ``report`` tells of: good when every answer was right, nothing was killed and nothing thrashed.

    The prediction's band is no part of it: what the search finds is what the prediction should have been. Pure.
    """
    wrong = [check for check in report.checks if check.status == "failed" and check.name != "memory"]
    used = [one for one in report.services if one.service == service]
    load = report.load
    words = f"{wrong[0].name}: {wrong[0].summary}" if wrong else "good"
    for one in used:
        if one.oom_kills:
            words = f"{one.oom_kills} processes were killed for memory"
        elif one.peak_need_bytes > one.limit_bytes:
            words = "it needs more than the limit: it would thrash"
        elif one.refault_bytes is not None and one.refault_bytes > REFAULT_SHARE * one.peak_mapped_bytes * one.requests:
            words = "it thrashes: file pages are read again and again"
    if load is None and words == "good":
        words = "the load did not run"
    return Trial(
        settings=settings,
        good=words == "good",
        words=words,
        requests_per_s=load.requests_per_s if load is not None else 0.0,
        p95_s=load.p95_s if load is not None else 0.0,
        need_bytes=max((one.peak_need_bytes for one in used), default=0),
        surely_bytes=max((one.peak_anonymous_bytes + one.peak_kernel_bytes for one in used), default=0),
        mapped_bytes=max((one.peak_mapped_bytes for one in used), default=0),
        duration_s=report.duration_s,
    )
