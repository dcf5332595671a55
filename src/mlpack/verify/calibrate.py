"""A footprint corrected by what a verification saw: the same regions, as large as they turned out to be. Pure.

A run of the whole service tells sums: what each worker holds at rest, what requests add at the peak, what is mapped.
Each kind of region is scaled to its sum; how a sum is shared among regions of a kind stays as it was estimated.
What only a start tells apart (passing memory of the load, forking after it) is left to `estimate --measure`.
"""

from __future__ import annotations

from collections.abc import Callable

from mlpack.errors import MlpackError
from mlpack.footprint import Footprint, Region
from mlpack.plan import ServicePlan
from mlpack.planner.moments import FORKED_ONCE
from mlpack.report import ServiceMeasurement
from mlpack.units import MIB

HEALTH_BYTES = 8 * MIB
"""Anonymous memory of a health check that fell into the peak: planned beside the footprint (planner/memory.py)."""
BECAUSE = "seen by verify: {0}"


def calibrated(
    footprint: Footprint, service: ServicePlan, measured: ServiceMeasurement, *, at_once: int, inputs_sha256: str
) -> Footprint:
    """``footprint`` with the sums of ``measured``. ``at_once``: requests of the load at the same time.

    Raises MlpackError where the run does not tell: nothing was read, or too little was asked at once.
    """
    workers, concurrency = service.workers.value, service.concurrency.value
    if FORKED_ONCE[service.fork_point]:
        raise _untold(footprint.service, "its workers share what was loaded before the fork")
    if measured.worker_anonymous_bytes is None or measured.rest_anonymous_bytes is None:
        raise _untold(footprint.service, "its processes could not be read at rest")
    full = workers * concurrency * service.replicas.value
    if at_once < full:
        raise _untold(footprint.service, f"the load was {at_once} at once, fewer than the {full} planned")
    each_request = max(0, measured.peak_anonymous_bytes - measured.rest_anonymous_bytes - HEALTH_BYTES)
    regions = footprint.regions
    held = f"{workers} workers at rest after the load"
    regions = _scaled(regions, _is("anonymous", "process"), measured.worker_anonymous_bytes, held)
    peak = f"the load's peak over rest, shared by {workers * concurrency} requests"
    regions = _scaled(regions, _is("anonymous", "request"), each_request // (workers * concurrency), peak)
    regions = _scaled(regions, _is("mapped", "process"), measured.peak_mapped_bytes, "the most that was mapped at once")
    return footprint.model_copy(
        update={
            "source": "measured",
            "regions": regions,
            "widened": (),
            "concurrency": concurrency,
            "threads": service.threads.value,
            "request_s": measured.request_s or footprint.request_s,
            "inputs_sha256": inputs_sha256,
        }
    )


def _is(kind: str, per: str) -> Callable[[Region], bool]:
    return lambda region: region.kind == kind and region.per == per


def _scaled(
    regions: tuple[Region, ...], wanted: Callable[[Region], bool], sum_bytes: int, words: str
) -> tuple[Region, ...]:
    """``regions`` with the wanted ones adding up to ``sum_bytes``; a kind that has no region yet gets none: nothing
    says whose it is."""
    before = sum(region.bytes for region in regions if wanted(region))
    if before <= 0:
        return regions
    factor = sum_bytes / before

    def scale(region: Region) -> Region:
        if not wanted(region):
            return region
        size = round(region.bytes * factor)
        because = BECAUSE.format(words)
        return region.model_copy(update={"bytes": size, "lower_bytes": size, "source": "measured", "because": because})

    return tuple(map(scale, regions))


def _untold(service: str, why: str) -> MlpackError:
    return MlpackError(
        f"this run does not tell {service}'s footprint: {why}", hint="measure it: mlpack estimate --measure"
    )
