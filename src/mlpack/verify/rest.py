"""What a service holds at rest after the load: all of it, and each worker's share. What calibration starts from."""

from __future__ import annotations

import time
from pathlib import Path

from mlpack.meter.snapshot import snapshot
from mlpack.report import ServiceMeasurement
from mlpack.verify.asking import largest
from mlpack.verify.run import Run
from mlpack.verify.seeing import HostEyes, eyes_for
from mlpack.verify.watch import Watch
from mlpack.verify.workers import worker_pids

LOOKS, EVERY_S = 5, 0.1
"""The least of so many readings: a health check that runs at one moment is not what the service holds."""


def with_rest(run: Run, watch: Watch, measured: ServiceMeasurement) -> ServiceMeasurement:
    """``measured`` with what is held at rest and the time of its largest request, as far as they can be seen."""
    names = [name for name in largest(run.plan.spec.requests) if watch.instance.service in run.services_of(name)]
    request_s = max((run.alone_s[name] for name in names if name in run.alone_s), default=None)
    service, eyes = run.service(watch.instance), eyes_for(watch.instance, run.environ)
    if not isinstance(eyes, HostEyes) or not watch.own_group or run.load is None:
        return measured.model_copy(update={"request_s": request_s})
    totals = []
    for _ in range(LOOKS):
        counters = watch.counters()
        if counters is not None:
            totals.append(counters.anonymous_bytes)
        time.sleep(EVERY_S)
    pids = worker_pids(service.server, service.workers.value, eyes.processes(), eyes.root)
    shares = [
        reading.pss_anonymous_bytes if reading.pss_anonymous_bytes is not None else reading.anonymous_bytes
        for reading in snapshot(Path("/proc"), pids)
    ]
    return measured.model_copy(
        update={
            "request_s": request_s,
            "rest_anonymous_bytes": min(totals, default=None),
            "worker_anonymous_bytes": round(sum(shares) / len(shares)) if shares else None,
        }
    )
