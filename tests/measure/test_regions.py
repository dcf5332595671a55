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


def test_what_is_referenced_while_serving_counts_and_not_what_was_touched_once() -> None:
    used = {
        "app": (60, 3),
        "startup": (70, 40),
        "first": (99, 50),
        "alone": (30, 20),
        "together": (34, 24),
        "idle": (34, 24),
    }
    stages = {
        name: reading.model_copy(
            update={"referenced_bytes": used[name][0] * MIB, "referenced_weights_bytes": used[name][1] * MIB}
        )
        if name in used
        else reading
        for name, reading in readings(MINILM).items()
    }
    found = {r.name: r.bytes for r in regions(stages, 1) if r.kind == "mapped"}
    assert found == {"libraries mapped": 10 * MIB, "weights mapped": 24 * MIB}
    fewer = stages | {"startup": stages["app"].model_copy(update={"name": "startup", "referenced_bytes": 7 * MIB})}
    fewer["app"] = fewer["startup"]
    found = {r.name: r.bytes for r in regions(fewer, 1) if r.kind == "mapped"}
    assert found == {
        "libraries mapped": 4 * MIB,
        "libraries mapped when hot": 6 * MIB,
        "weights mapped": 3 * MIB,
        "weights mapped when hot": 21 * MIB,
    }


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
