"""The search of bench/footprint finds a boundary wherever it lies, and to the factor that was asked for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.footprint.boundary import PAGE_BYTES, search

MIB = 2**20


@pytest.mark.parametrize("truth", [120, 400, 700, 799, 800, 801, 1200, 2900])
@pytest.mark.parametrize("within", [1.02, 1.06])
def test_the_boundary_is_found_from_any_prediction(truth: int, within: float) -> None:
    tried = []

    def passes(limit: int) -> str:
        tried.append(limit)
        return "" if limit >= truth * MIB else "killed"

    found = search(passes, 800 * MIB, within=within, most=30)
    assert found.failed_bytes < truth * MIB <= found.passed_bytes
    assert found.passed_bytes / found.failed_bytes <= within
    assert found.predicted_passed == (truth <= 800)
    assert found.trials == len(tried) == len(set(tried))
    assert all(limit % PAGE_BYTES == 0 for limit in tried)


def test_a_service_that_never_passes_is_an_end_not_a_loop() -> None:
    with pytest.raises(RuntimeError, match="no boundary after 12 trials"):
        search(lambda _: "killed", 800 * MIB)
