"""Turns the readings of one worker's stages into the regions of a footprint. Pure.

Regions are increments, so that sums of them are the rule's quantities (docs/memory.md): import + load anonymous is
what a loaded worker holds, with ``moment`` its load peak, with serve x concurrency its inference peak; import + load
mapped is "mapped idle", with serve "mapped hot".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from mlpack.footprint import Kind, Per, Region, Stage
from mlpack.measure.result import StageName, StageReading

_LOADING: tuple[StageName, ...] = ("libraries", "app", "startup")
_SERVING: tuple[StageName, ...] = ("first", "alone", "together", "idle")


def regions(stages: dict[StageName, StageReading], concurrency: int) -> tuple[Region, ...]:
    """All regions that are not empty; ``stages`` has every stage."""
    return tuple(region for region in _regions(stages, concurrency) if region.bytes > 0)


def loaded_at(stages: dict[StageName, StageReading]) -> Literal["import", "startup"]:
    """Where most of the models' memory came from: the app's import, or its start-up (lifespan)."""

    def grown(before: StageName, after: StageName) -> int:
        first, second = stages[before], stages[after]
        anonymous = max(second.anonymous_bytes, second.anonymous_peak_bytes) - first.anonymous_bytes
        # Weights in a file are known to be weights; anonymous growth may also be the app's own code.
        return anonymous + 1000 * (second.mapped_weights_bytes - first.mapped_weights_bytes)

    return "startup" if grown("app", "startup") > grown("libraries", "app") else "import"


def _regions(stages: dict[StageName, StageReading], concurrency: int) -> Iterator[Region]:
    bare, libraries, loaded = stages["interpreter"], stages["libraries"], stages["startup"]
    load_peak = max(stages[name].anonymous_peak_bytes for name in _LOADING)
    each, once, warm = _serving(stages, concurrency)
    hot = max(stages[name].mapped_bytes for name in _SERVING)
    hot_weights = max(stages[name].mapped_weights_bytes for name in _SERVING)
    yield _region("interpreter", "import", "anonymous", bare.anonymous_bytes, "Python with nothing imported")
    grown = libraries.anonymous_bytes - bare.anonymous_bytes
    yield _region("libraries", "import", "anonymous", grown, "after importing the runtimes and the server")
    yield _region("libraries mapped", "import", "mapped", libraries.mapped_bytes, "shared libraries, from smaps")
    app = stages["app"]
    at_startup = loaded_at(stages) == "startup"
    grown = app.anonymous_bytes - libraries.anonymous_bytes
    what = "app" if at_startup else "app and weights"
    yield _region(
        what, "load", "anonymous", grown, "the app's import" + ("" if at_startup else ", which loads the models")
    )
    grown = loaded.anonymous_bytes - max(app.anonymous_bytes, libraries.anonymous_bytes)
    what = "weights" if at_startup else "start-up"
    yield _region(what, "load", "anonymous", grown, "the app's start-up, with libraries that it imports late")
    weights = loaded.mapped_weights_bytes
    yield _region("weights mapped", "load", "mapped", weights, "model files in use after the load, each page once")
    grown = loaded.mapped_bytes - libraries.mapped_bytes - weights
    yield _region("app mapped", "load", "mapped", grown, "further libraries that the app loads")
    passing = load_peak - loaded.anonymous_bytes
    yield _region("load transient", "load", "anonymous", passing, "highest moment of the load", per="moment")
    yield _region("warm state", "serve", "anonymous", warm, "kept after the largest requests: caches, arenas, threads")
    because = f"added to the peak by each request at once, {concurrency} tried"
    yield _region("activations", "serve", "anonymous", each, because, per="request")
    yield _region("activations of one", "serve", "anonymous", once, "needed once, however many come", per="moment")
    grown = hot_weights - weights
    yield _region("weights mapped when hot", "serve", "mapped", grown, "model pages first used by a request")
    grown = (hot - hot_weights) - (loaded.mapped_bytes - weights)
    yield _region("libraries mapped when hot", "serve", "mapped", grown, "library pages first used by a request")
    kernel = max(reading.kernel_bytes for reading in stages.values())
    yield _region("kernel", "import", "kernel", kernel, "page tables, stacks and tasks of the process")
    shm = max(reading.shm_bytes for reading in stages.values())
    yield _region("shared memory", "serve", "shm", shm, "tmpfs and memfd pages that the process maps")


def _serving(stages: dict[StageName, StageReading], concurrency: int) -> tuple[int, int, int]:
    """Peak while serving, less what was loaded, as (per request, once while serving, once and kept).

    Together: the measured peak at ``concurrency``. The slope between one request and many tells what each adds (none
    for a blocking ``async def``); of one alone, what the first left behind is kept, the rest belongs to the request.
    """
    loaded = stages["startup"].anonymous_bytes
    alone = max(0, max(stages[name].anonymous_peak_bytes for name in ("first", "alone")) - loaded)
    peak = max(alone, stages["together"].anonymous_peak_bytes - loaded, stages["idle"].anonymous_peak_bytes - loaded)
    if concurrency == 1:
        warm = min(peak, max(0, stages["first"].anonymous_bytes - loaded))
        return peak - warm, 0, warm
    each = min((peak - alone) // (concurrency - 1), peak // concurrency)
    rest = peak - concurrency * each
    warm = min(rest, max(0, stages["idle"].anonymous_bytes - loaded))
    return each, rest - warm, warm


def _region(name: str, stage: Stage, kind: Kind, size: int, because: str, *, per: Per = "process") -> Region:
    size = max(0, size)
    return Region(
        name=name,
        stage=stage,
        kind=kind,
        per=per,
        bytes=size,
        lower_bytes=size,
        source="measured",
        because=because,
    )
