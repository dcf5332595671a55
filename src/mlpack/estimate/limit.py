"""The rule by which a limit follows from what is needed, and the sum of one process. Pure.

Rule and measurements: docs/memory.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.footprint import Footprint
from mlpack.units import ceil_mib

PEAK_FACTOR, MAPPED_FACTOR = 1.05, 0.10
"""limit = 1.05 * max(load, serve) + 0.10 * mapped: 1.02-1.14 of the refault-free boundary in bench/footprint."""


@dataclass(frozen=True)
class Totals:
    """One process with as many requests at once as its footprint is for. Bytes."""

    peak_bytes: int
    lower_bytes: int
    limit_bytes: int
    """In whole MiB, for this process alone."""


def limit_bytes(loading: int, serving: int, mapped: int) -> int:
    """The limit for what loading and serving take at their peaks, ``mapped`` of it file pages; whole MiB."""
    return ceil_mib(round(PEAK_FACTOR * max(loading, serving) + MAPPED_FACTOR * mapped))


def totals(footprint: Footprint) -> Totals:
    """All regions of ``footprint`` together, at the dearer of its two moments; a card's memory is not in it."""
    loading = serving = surely_loading = surely = mapped = 0
    for region in footprint.regions:
        if region.kind == "gpu":
            continue
        least = min(region.lower_bytes, region.bytes)
        times = footprint.concurrency if region.per == "request" else 1
        if region.stage != "serve":
            loading, surely_loading = loading + region.bytes, surely_loading + least
        if region.per != "moment" or region.stage == "serve":
            serving, surely = serving + times * region.bytes, surely + times * least
        if region.kind == "mapped":
            mapped += region.bytes
    return Totals(max(loading, serving), max(surely_loading, surely), limit_bytes(loading, serving, mapped))
