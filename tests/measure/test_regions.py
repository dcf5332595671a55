"""Readings become regions whose sums are the readings again."""

from __future__ import annotations

from typing import get_args

import pytest

from mlpack.footprint import Footprint
from mlpack.measure.regions import loaded_at, regions
from mlpack.measure.result import StageName, StageReading
from mlpack.units import MIB

MINILM: dict[StageName, tuple[float, float, float, float]] = {
    # stage: anonymous, its peak, mapped, of that weights (MiB); shaped after MiniLM under FastAPI
    "interpreter": (6, 6, 6, 0),
    "libraries": (160, 160, 76, 0),
    "app": (179, 185, 81, 0),
    "startup": (272, 300, 96, 3),
    "first": (274, 326, 147, 44),
    "alone": (274, 340, 147, 44),
    "together": (279, 615, 147, 44),
    "idle": (279, 279, 147, 44),
}


def readings(rows: dict[StageName, tuple[float, float, float, float]]) -> dict[StageName, StageReading]:
    others = {"seconds": 1.0, "pss_bytes": 0, "uss_bytes": 0, "rss_bytes": 0, "shm_bytes": 0, "rss_peak_bytes": 0}
    return {
        name: StageReading(
            name=name,
            anonymous_bytes=int(anonymous * MIB),
            anonymous_peak_bytes=int(peak * MIB),
            mapped_bytes=int(mapped * MIB),
            mapped_weights_bytes=int(weights * MIB),
            kernel_bytes=2 * MIB,
            threads=1,
            **others,
        )
        for name, (anonymous, peak, mapped, weights) in rows.items()
    }


def footprint(concurrency: int, changed: dict[StageName, tuple[float, float, float, float]] | None = None) -> Footprint:
    stages = readings(MINILM | (changed or {}))
    found = regions(stages, concurrency)
    return Footprint(service="web", source="measured", regions=found, load_s=1, request_s=1)


@pytest.mark.parametrize("concurrency", [1, 2, 4, 7])
def test_sums_give_the_measured_peaks_back(concurrency: int) -> None:
    sizes = footprint(concurrency)
    loaded = sizes.sum_bytes("anonymous", "import", "load")
    assert loaded == 272 * MIB
    assert loaded + sizes.sum_bytes("anonymous", "load", per="moment") == 300 * MIB
    once = sizes.sum_bytes("anonymous", "serve") + sizes.sum_bytes("anonymous", "serve", per="moment")
    each = sizes.sum_bytes("anonymous", "serve", per="request")
    assert 0 <= loaded + once + concurrency * each - 615 * MIB < concurrency  # rounded up to whole bytes, never down
    assert sizes.sum_bytes("mapped", "import", "load") == 96 * MIB
    assert sizes.sum_bytes("mapped", "import", "load", "serve") == 147 * MIB
    assert sizes.sum_bytes("kernel", "import") == 2 * MIB


def in_use(stages: dict[StageName, StageReading], used: dict[StageName, int]) -> dict[StageName, StageReading]:
    return {
        name: reading.model_copy(update={"libraries_in_use_bytes": used[name] * MIB}) if name in used else reading
        for name, reading in stages.items()
    }


def test_library_pages_that_only_the_start_touched_count_in_part_and_weights_in_full() -> None:
    used: dict[StageName, int] = {"app": 60, "startup": 70, "first": 12, "alone": 10, "together": 13, "idle": 13}
    found = {r.name: r.bytes // MIB for r in regions(in_use(readings(MINILM), used), 1) if r.kind == "mapped"}
    weights = {"weights mapped": 3, "weights mapped when hot": 41}
    assert found == {"libraries mapped": 13, "libraries touched once": (147 - 44 - 13) // 5, **weights}
    fewer = in_use(readings(MINILM), {**used, "app": 4, "startup": 7})
    found = {r.name: r.bytes // MIB for r in regions(fewer, 1) if r.kind == "mapped"}
    rest = {"libraries mapped when hot": 6, "libraries touched once": 18}
    assert found == {"libraries mapped": 7, **rest, **weights}


def test_what_the_first_request_uses_is_needed_while_it_runs() -> None:
    used: dict[StageName, int] = {"app": 4, "startup": 7, "first": 33, "alone": 10, "together": 13, "idle": 13}
    found = {r.name: r.bytes // MIB for r in regions(in_use(readings(MINILM), used), 1) if r.kind == "mapped"}
    assert found["libraries mapped"] + found["libraries mapped when hot"] == 33
    assert found["libraries touched once"] == (147 - 44 - 33) // 5


def test_what_forked_workers_map_is_in_use_and_never_more_than_was_touched() -> None:
    used: dict[StageName, int] = {"app": 4, "startup": 7, "first": 12, "alone": 10, "together": 13, "idle": 13}
    for forked, serving in ((0, 13), (11, 13), (40, 40), (500, 147 - 44)):
        made = regions(in_use(readings(MINILM), used), 1, forked_bytes=forked * MIB)
        found = {r.name: r.bytes // MIB for r in made if r.kind == "mapped"}
        assert found["libraries mapped"] == 7
        assert found["libraries mapped when hot"] == serving - 7
        assert found.get("libraries touched once", 0) == (147 - 44 - serving) // 5


def test_touched_once_is_no_memory_of_the_load() -> None:
    used: dict[StageName, int] = {"app": 60, "startup": 70, "first": 99, "alone": 10, "together": 13, "idle": 13}
    for region in regions(in_use(readings(MINILM), used), 1):
        assert region.name != "libraries touched once" or region.stage == "serve"


def test_each_further_request_adds_the_slope() -> None:
    sizes = footprint(4)
    assert sizes.sum_bytes("anonymous", "serve", per="request") == (615 - 272) * MIB // 4  # all of it, held by each
    blocking = footprint(4, {"together": (279, 345, 147, 44)})
    assert blocking.sum_bytes("anonymous", "serve", per="request") == (345 - 340) * MIB // 3
    assert blocking.sum_bytes("anonymous", "serve") == 7 * MIB  # kept between requests
    assert blocking.sum_bytes("anonymous", "serve", per="moment") > 50 * MIB


def test_memory_given_back_while_serving_is_no_negative_region() -> None:
    less = (200.0, 250.0, 90.0, 2.0)
    shrunk = footprint(2, {"first": less, "alone": less, "together": less, "idle": (200, 200, 90, 2)})
    assert all(region.bytes > 0 for region in shrunk.regions)
    assert not [region for region in shrunk.regions if region.name == "activations"]


def test_every_region_is_measured_and_says_how() -> None:
    for region in footprint(1).regions:
        assert region.source == "measured"
        assert region.lower_bytes == region.bytes
        assert region.because


def test_where_the_models_load() -> None:
    assert loaded_at(readings(MINILM)) == "startup"
    at_import = MINILM | {"app": (272, 300, 96, 3)}
    assert loaded_at(readings(at_import)) == "import"
    mapped_at_import = MINILM | {"app": (179, 185, 81, 3)}
    assert loaded_at(readings(mapped_at_import)) == "import"
    assert set(MINILM) == set(get_args(StageName))
