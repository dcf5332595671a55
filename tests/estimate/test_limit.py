"""The sum of one process, and the limit that follows from it."""

from __future__ import annotations

from tests.planner.build import footprint, region

from mlpack.estimate import limit_bytes, totals
from mlpack.units import MIB


def test_one_process_at_the_dearer_of_its_moments() -> None:
    """Loading: 100 + 50 + 60 + 40 = 250; serving: 100 + 50 + 60 + 30 + 20 = 260, of which 70 are file pages."""
    found = totals(footprint())
    assert found.peak_bytes == found.lower_bytes == 260 * MIB
    assert found.limit_bytes == 280 * MIB  # 1.05 x 260 + 0.10 x 70, in whole MiB


def test_as_many_requests_as_it_was_measured_with() -> None:
    assert totals(footprint(concurrency=4)).peak_bytes == (260 + 3 * 30) * MIB


def test_what_is_only_surely_needed_and_what_a_card_holds() -> None:
    regions = (
        region("weights", "load", "anonymous", "process", 100, lower=60),
        region("load peak", "load", "anonymous", "moment", 90, lower=0),
        region("on the card", "load", "gpu", "process", 5000),
    )
    found = totals(footprint(regions=regions))
    assert (found.peak_bytes, found.lower_bytes) == (190 * MIB, 60 * MIB)


def test_the_rule() -> None:
    assert limit_bytes(100 * MIB, 200 * MIB, 50 * MIB) == 215 * MIB
    assert limit_bytes(300 * MIB, 200 * MIB, 0) == 315 * MIB
    assert limit_bytes(1, 0, 0) == MIB
