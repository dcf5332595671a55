"""The searches against services made up: they find the known best, say what they tried, and stop when told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpack.tune.search import STEP_BYTES, best_workers, candidates, largest_batch, smallest_limit
from mlpack.tune.trial import Trial
from mlpack.units import MIB


class Service:
    """Holds above ``holds_mib``, has its most requests at ``best`` workers, takes batches up to ``fits``."""

    def __init__(self, *, holds_mib: int = 0, best: int = 1, fits: int = 0, most: int = 99) -> None:
        self.holds_mib, self.best, self.fits, self.most = holds_mib, best, fits, most
        self.tried: list[dict[str, int]] = []

    def attempt(self, settings: dict[str, int]) -> Trial | None:
        """A trial; None after ``most`` of them."""
        if len(self.tried) >= self.most:
            return None
        self.tried.append(settings)
        rate = 0.0
        good = True
        if "limit_mib" in settings:
            good = settings["limit_mib"] >= self.holds_mib
        if "workers" in settings:
            rate = 10.0 - abs(settings["workers"] - self.best)
        if "batch" in settings:
            good = settings["batch"] <= self.fits
        surely = min(self.holds_mib, 100) * MIB // 2
        return Trial(
            settings=settings, good=good, words="good" if good else "no", requests_per_s=rate, surely_bytes=surely
        )


@given(holds=st.integers(20, 4000), planned=st.integers(20, 4000))
def test_the_smallest_limit_is_found_to_within_a_step(holds: int, planned: int) -> None:
    service = Service(holds_mib=holds)
    found = smallest_limit("web", planned * MIB, service.attempt)
    if planned < holds:
        assert found.patches == ()
        assert "does not hold" in found.lines[0]
        return
    best = min(one["limit_mib"] for one in service.tried if one["limit_mib"] >= holds)
    assert best - holds <= max(STEP_BYTES // MIB, 0.02 * best)
    assert len(service.tried) <= 12
    for patch in found.patches:
        assert holds <= int(str(patch.after).removesuffix("M")) < planned


def test_candidates_fill_the_cores_and_begin_with_the_plan() -> None:
    assert candidates(4, 2, 1) == ((2, 1), (1, 4), (2, 2), (4, 1))
    assert candidates(1, 1, 1) == ((1, 1),)


def test_the_most_requests_win_and_fewer_processes_break_the_tie() -> None:
    found = best_workers("web", candidates(4, 1, 4), Service(best=4).attempt)
    assert [(patch.path, patch.after) for patch in found.patches] == [
        ("services.web.workers", 4),
        ("services.web.threads", 1),
    ]
    alike = best_workers("web", candidates(2, 2, 1), lambda s: Trial(settings=s, good=True, words="", requests_per_s=5))
    assert [patch.after for patch in alike.patches] == [1, 2], "as many requests with one process less"
    kept = best_workers("web", candidates(2, 1, 2), Service(best=1).attempt)
    assert kept.patches == ()


@pytest.mark.parametrize("fits", [1, 7, 8, 9, 100, 4096, 5000])
def test_the_largest_batch(fits: int) -> None:
    service = Service(fits=fits)
    found = largest_batch("m", 1, service.attempt)
    best = max(one["batch"] for one in service.tried if one["batch"] <= fits)
    assert min(fits, 4096) - best <= max(1, best // 16)
    assert [patch.after for patch in found.patches] == ([best] if best > 1 else [])
    assert len(service.tried) < 25


def test_a_planned_batch_that_does_not_fit_is_said() -> None:
    assert "not even the planned one fits" in largest_batch("m", 8, Service(fits=4).attempt).lines[-1]


def test_when_the_time_is_over_it_says_so_and_proposes_what_it_knows() -> None:
    found = smallest_limit("web", 1000 * MIB, Service(holds_mib=300, most=3).attempt)
    assert not found.whole
    assert found.patches
    assert not smallest_limit("web", 1000 * MIB, Service(most=0).attempt).whole
    assert not best_workers("web", candidates(4, 1, 4), Service(most=1).attempt).whole
    assert not largest_batch("m", 1, Service(fits=50, most=2).attempt).whole
