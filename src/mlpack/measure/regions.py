"""Turns the readings of one worker's stages into the regions of a footprint. Pure.

Regions are increments, so that sums of them are the rule's quantities (docs/memory.md): import + load anonymous is
what a loaded worker holds, with ``moment`` its load peak, with serve x concurrency its inference peak; import + load
mapped is "mapped idle", with serve "mapped hot". Of libraries, pages count where serving uses them: what importing or
loading touched once is evicted without harm, even while others still load (docs/memory.md). Of weights all touched
pages count, as another input touches other rows of an embedding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from mlpack.footprint import FIRST_USED_LIBRARIES, Kind, Per, Region, Stage
from mlpack.measure.result import StageName, StageReading
from mlpack.measure.shares import Shares

_LOADING: tuple[StageName, ...] = ("libraries", "app", "startup")
_SERVING: tuple[StageName, ...] = ("first", "alone", "together", "idle")
TOUCHED_ONCE_SHARE = 0.2
"""Of library pages that only the start touched, what stays beside those in use while nothing is read twice: the kernel
evicts by folios and lists, not by pages. 0.07 to 0.25 of them on six services; with a fifth each of the 25 of
bench/footprint is planned over its boundary, and none by more than 1.15 (docs/memory.md)."""


def regions(
    stages: dict[StageName, StageReading], concurrency: int, parts: Shares | None = None, forked_bytes: int = 0
) -> tuple[Region, ...]:
    """All regions that are not empty; ``stages`` has every stage, ``parts`` what each of several models added,
    ``forked_bytes`` the library pages that forked workers mapped, where some were tried."""
    return tuple(one for one in _regions(stages, concurrency, parts or Shares(), forked_bytes) if one.bytes > 0)


def loaded_at(stages: dict[StageName, StageReading]) -> Literal["import", "startup"]:
    """Where most of the models' memory came from: the app's import, or its start-up (lifespan)."""

    def grown(before: StageName, after: StageName) -> int:
        first, second = stages[before], stages[after]
        anonymous = max(second.anonymous_bytes, second.anonymous_peak_bytes) - first.anonymous_bytes
        # Weights in a file are known to be weights; anonymous growth may also be the app's own code.
        return anonymous + 1000 * (second.mapped_weights_bytes - first.mapped_weights_bytes)

    return "startup" if grown("app", "startup") > grown("libraries", "app") else "import"


def _regions(
    stages: dict[StageName, StageReading], concurrency: int, parts: Shares, forked_bytes: int
) -> Iterator[Region]:
    bare, libraries, loaded = stages["interpreter"], stages["libraries"], stages["startup"]
    load_peak = max(stages[name].anonymous_peak_bytes for name in _LOADING)
    each, once, warm = _serving(stages, concurrency)
    hot_weights = max(stages[name].mapped_weights_bytes for name in _SERVING)
    weights = loaded.mapped_weights_bytes
    loading, serving, once_touched = _libraries(stages, forked_bytes)
    yield _region("interpreter", "import", "anonymous", bare.anonymous_bytes, "Python with nothing imported")
    grown = libraries.anonymous_bytes - bare.anonymous_bytes
    yield _region("libraries", "import", "anonymous", grown, "after importing the runtimes and the server")
    yield _region("libraries mapped", "import", "mapped", loading, "pages of shared libraries in use from the load on")
    app = stages["app"]
    at_startup = loaded_at(stages) == "startup"
    grown = app.anonymous_bytes - libraries.anonymous_bytes
    what = "app" if at_startup else "app and weights"
    because = "the app's import" + ("" if at_startup else ", which loads the models")
    yield from _shared_out(what, "load", grown, because, parts.of("app"))
    grown = loaded.anonymous_bytes - max(app.anonymous_bytes, libraries.anonymous_bytes)
    what = "weights" if at_startup else "start-up"
    because = "the app's start-up, with libraries that it imports late"
    yield from _shared_out(what, "load", grown, because, parts.of("startup"))
    because = "model files in use after the load, each page once"
    yield from _mapped_of("weights mapped", "load", weights, because, parts.mapped)
    passing = load_peak - loaded.anonymous_bytes
    yield _region("load transient", "load", "anonymous", passing, "highest moment of the load", per="moment")
    because = "kept after the largest requests: caches, arenas, threads"
    yield from _shared_out("warm state", "serve", warm, because, parts.of("first"))
    because = f"added to the peak by each request at once, {concurrency} tried"
    yield _region("activations", "serve", "anonymous", each, because, per="request")
    yield _region("activations of one", "serve", "anonymous", once, "needed once, however many come", per="moment")
    grown = hot_weights - weights
    because = "model pages first used by a request; other inputs use other rows"
    later = {name: size - parts.mapped.get(name, 0) for name, size in parts.mapped_hot.items()}
    yield from _mapped_of("weights mapped when hot", "serve", grown, because, later)
    yield _region(FIRST_USED_LIBRARIES, "serve", "mapped", serving - loading, "library pages used by requests")
    because = f"{TOUCHED_ONCE_SHARE:.0%} of library pages that only the start touched: not all are evicted first"
    size = round(TOUCHED_ONCE_SHARE * once_touched)
    yield _region("libraries touched once", "serve", "mapped", size, because)
    kernel = max(reading.kernel_bytes for reading in stages.values())
    yield _region("kernel", "import", "kernel", kernel, "page tables, stacks and tasks of the process")
    shm = max(reading.shm_bytes for reading in stages.values())
    yield _region("shared memory", "serve", "shm", shm, "tmpfs and memfd pages that the process writes or maps")


def _libraries(stages: dict[StageName, StageReading], forked_bytes: int) -> tuple[int, int, int]:
    """Pages of libraries in use while loading and later; while serving; and those that only the start touched.

    The first request counts, though no other uses as many: under 374 MiB the four models of examples/moderation spent
    two minutes with theirs, reading 42 GB again as two workers took the pages from one another, and then answered
    without a refault; under 400 MiB it took a second (docs/memory.md). So do the pages that forked workers map, as they
    begin with none.
    Where nothing tells which are in use, all that were touched are.
    """
    told = [reading for name in _SERVING if (reading := stages[name]).libraries_in_use_bytes is not None]
    if len(told) < len(_SERVING):
        serving = max(stages[name].libraries_bytes for name in _SERVING)
        return min(serving, stages["startup"].libraries_bytes), serving, 0
    in_use = {name: reading.libraries_in_use_bytes or 0 for name, reading in stages.items()}
    serving = max(in_use[name] for name in _SERVING)
    loading = min(serving, max(in_use["app"], in_use["startup"]))
    touched = max(reading.libraries_bytes for reading in told)
    serving = max(serving, min(forked_bytes, touched))
    return loading, serving, touched - serving


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


def _shared_out(name: str, stage: Stage, size: int, because: str, parts: Mapping[str, int]) -> Iterator[Region]:
    """An anonymous region for each model's part, and ``name`` for the rest; never more than ``size`` in all."""
    left = max(0, size)
    for model, grown in parts.items():
        part = min(grown, left)
        left -= part
        when = "its files were opened, until the next model's were"
        yield _region(f"weights of {model}", stage, "anonymous", part, f"grown since {when}")
    if parts:
        name = {"app and weights": "app", "weights": "start-up"}.get(name, name)
    yield _region(name, stage, "anonymous", left, because)


def _mapped_of(name: str, stage: Stage, size: int, because: str, parts: Mapping[str, int]) -> Iterator[Region]:
    """``name of MODEL`` for each model, in their proportion where their pages were counted at different moments."""
    found = {model: part for model, part in parts.items() if part > 0}
    if not found:
        yield _region(name, stage, "mapped", size, because)
        return
    left, total = size, sum(found.values())
    for index, (model, counted) in enumerate(found.items(), start=1):
        part = left if index == len(found) else size * counted // total
        left -= part
        yield _region(f"{name}, {model}", stage, "mapped", part, because)


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
