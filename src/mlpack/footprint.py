"""Footprint: the memory of ONE process of a service, region by region, and the times that belong to it.

The planner multiplies by the server's fork point; see ``planner/moments.py``. Measured behaviour: docs/memory.md.
"""

from __future__ import annotations

from typing import Literal

from pydantic import SerializerFunctionWrapHandler, model_serializer

from mlpack.noun import Noun

Stage = Literal["import", "load", "serve"]
"""When a region comes into being: interpreter and libraries, weights, requests."""
Kind = Literal["anonymous", "mapped", "kernel", "shm", "gpu"]
Per = Literal["process", "request", "moment"]
"""``process``: held while the process lives. ``request``: per request handled at once. ``moment``: passing, at load."""

FIRST_USED_LIBRARIES = "libraries mapped when hot"
"""The region of library pages that requests use and the load does not."""


class Region(Noun):
    """One cause of memory. ``lower_bytes`` is what it surely needs; ``bytes`` what the plan counts."""

    name: str
    stage: Stage
    kind: Kind
    per: Per
    bytes: int
    lower_bytes: int
    source: Literal["default", "estimated", "measured"]
    because: str


class Footprint(Noun):
    """One process of one service. Valid up to the concurrency and threads named; larger ones are extrapolated aloud."""

    schema_version: Literal[1] = 1
    service: str
    source: Literal["estimated", "measured"]
    regions: tuple[Region, ...]
    fork_proven: bool = False
    """Forking after load was tried and every child answered an inference."""
    fork_refused: str | None = None
    """Why a measurement did not prove it; None where it did, or was not tried."""
    unshared_bytes: int | None = None
    """What each child forked after load adds by copy-on-write before it serves; None where not measured."""
    concurrency: int = 1
    threads: int | None = None
    load_s: float
    """Process start to first right answer."""
    request_s: float
    """The largest request, alone."""
    growth_bytes_per_request: float | None = None
    """What one process keeps of every request, measured over many; None where nobody measured, 0 where none showed."""
    refault_bytes: int | None = None
    """Read again from disk while the measured requests ran: above 0, memory was short meanwhile. None: not counted."""
    rss_peak_bytes: int | None = None
    """Peak RSS; what Celery's max_memory_per_child compares."""
    widened: tuple[str, ...] = ()
    """Why this estimate is wide; empty for a measurement."""
    inputs_sha256: str | None = None
    """Hash of what the measurement depends on; another value makes it stale."""

    @model_serializer(mode="wrap")
    def _without_uncounted(self, whole: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Footprints in which nobody counted refaults stay as they were written."""
        found: dict[str, object] = whole(self)
        if self.refault_bytes is None:
            found.pop("refault_bytes", None)
        return found

    def sum_bytes(self, kind: Kind, *stages: Stage, per: Per = "process") -> int:
        """Bytes of all regions of ``kind`` and ``per`` in the given stages."""
        return sum(r.bytes for r in self.regions if r.kind == kind and r.per == per and r.stage in stages)


class FootprintFile(Noun):
    """footprint.json: the measurements of a project, the only way by which measurement reaches a plan."""

    schema_version: Literal[1] = 1
    services: dict[str, Footprint] = {}
