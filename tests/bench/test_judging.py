"""What bench/footprint calls a pass, a boundary that holds, and a missed target."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.footprint.boundary import PAGE_BYTES, Boundary, hold
from bench.footprint.show import markdown, missed, spread
from bench.footprint.trial import Trial, judge

MIB = 2**20
BASE = Trial(None, "", p95_s=0.1, mapped_bytes=100 * MIB)
GOOD = replace(BASE, limit_bytes=300 * MIB)


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        (GOOD, ""),
        (replace(GOOD, p95_s=0.2), ""),  # twice is allowed
        (replace(GOOD, p95_s=0.21), "p95 0.210 s, 2.1 x the unlimited one's"),
        (replace(GOOD, refault_per_request_bytes=MIB), ""),  # one per cent is allowed
        (replace(GOOD, refault_per_request_bytes=1.1 * MIB), "refaults of 1.1 % of mapped per request"),
        (replace(GOOD, refault_per_request_bytes=9 * MIB, p95_s=1.0), "refaults of 9.0 % of mapped per request"),
        (replace(GOOD, why="killed: out of memory", p95_s=0.0), "killed: out of memory"),
    ],
)
def test_what_passes_and_why_not(trial: Trial, said: str) -> None:
    assert judge(trial, BASE) == said


FOUND = Boundary(100 * MIB, 98 * MIB, "killed", predicted_passed=True, trials=5)


def test_a_boundary_that_holds_stays() -> None:
    assert hold(lambda _: "", FOUND) == replace(FOUND, trials=6)


def test_a_boundary_that_does_not_hold_is_raised_until_it_does() -> None:
    """100 and 102 fail, 104.04 holds: the highest that failed and its reason are then the new lower side."""
    asked = []

    def passes(limit: int) -> str:
        asked.append(limit)
        return "" if limit > 103 * MIB else f"refaults under {limit}"

    raised = hold(passes, FOUND, within=1.02)
    assert len(asked) == 3
    assert raised.passed_bytes == asked[2] > 103 * MIB
    assert raised.failed_bytes == asked[1] < 103 * MIB
    assert raised.why == f"refaults under {asked[1]}"
    assert all(1.02 <= later / earlier < 1.021 for earlier, later in pairwise(asked))
    assert all(limit % PAGE_BYTES == 0 for limit in asked)


def test_what_never_holds_is_an_end() -> None:
    with pytest.raises(RuntimeError, match=r"no limit up to .* holds: killed"):
        hold(lambda _: "killed", FOUND, most=3)


def row(*measured: float, static: float = 1.3, unbounded: bool = False) -> dict[str, Any]:
    """A row whose boundary lies between 98 and 100 MiB, and its limits over 100."""
    limits: dict[str, float | None] = {"measured": measured[-1] if measured else None, "static": static}
    limits |= dict.fromkeys(("file", "weights_x_1.2", "unlimited_peak"), 1.0)
    return {
        "row": "one",
        "how": "gunicorn sync 1 x 1",
        "fitted": True,
        "unbounded": unbounded,
        "boundary": 100 * MIB,
        "failed_below": 98 * MIB,
        "limits": {name: None if ratio is None else ratio * 100 * MIB for name, ratio in limits.items()},
        "ratios": limits,
        "measured_each": [ratio * 100 * MIB for ratio in measured],
    }


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (row(1.02), []),
        (row(1.15), []),
        (row(1.0), []),  # 2 % over the limit that failed
        (row(0.99), ["measured is under: 0.990"]),
        (row(1.16), ["measured 1.160 > 1.15"]),
        (row(1.05, 0.99, 1.05), ["measured is under: 0.990"]),  # one of three is enough
        (row(1.16, 1.05), ["measured 1.160 > 1.15"]),
        (row(0.99, 1.16), ["measured is under: 0.990", "measured 1.160 > 1.15"]),
        (row(1.05, static=0.99), ["static is under: 0.99"]),
        (row(1.05, static=1.51), ["static 1.51 > 1.5"]),
        (row(1.05, static=1.99, unbounded=True), []),
        (row(1.05, static=2.01, unbounded=True), ["static 2.01 > 2.0"]),
        (row(), []),  # not measured
    ],
)
def test_what_misses_a_target(found: dict[str, Any], said: list[str]) -> None:
    assert missed(found) == said


def test_less_than_two_per_cent_over_what_failed_is_missed() -> None:
    narrow = {**row(1.005), "failed_below": 99.5 * MIB}
    assert missed(narrow) == ["measured has less than 2 % to spare: 1.005"]


def test_several_measurements_are_shown_by_the_least_and_the_most() -> None:
    assert spread(row(1.05)) == ""
    assert spread(row(1.05, 1.02, 1.04)) == "1.02-1.05"
    assert spread(row(1.051, 1.049)) == "1.05"
    assert "| 104 (1.02-1.05) |" in markdown([row(1.05, 1.02, 1.04)])
    assert "| 105 (1.05) | 130 (1.30) |" in markdown([row(1.05)])
