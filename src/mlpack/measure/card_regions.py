"""Turns what a worker held on its cards, stage by stage, into regions of kind ``gpu``. Pure.

The framework's counters tell tensors (``used``) from what its allocator holds; NVML tells the whole process. What NVML
counts beyond the allocator is CUDA's context with the kernels that are loaded. Unproven: no card has been in reach.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlpack.footprint import Per, Region, Stage
from mlpack.measure.result import CardReading, StageName

_SERVING: tuple[StageName, ...] = ("first", "alone", "together", "idle")
UNTOLD = "NVML did not tell what the process holds on its card: context and libraries are not in the measurement"


def card_regions(cards: Mapping[StageName, CardReading], concurrency: int) -> tuple[Region, ...]:
    """All that are not empty; none where no stage used a card."""
    return tuple(one for one in _regions(cards, concurrency) if one.bytes > 0)


def _regions(cards: Mapping[StageName, CardReading], concurrency: int) -> Iterator[Region]:
    serving = {name: cards[name] for name in _SERVING if name in cards}
    loaded = cards.get("startup") or CardReading()
    if not serving:
        return
    base = loaded.used_bytes if loaded.used_bytes is not None else loaded.process_bytes or 0
    yield _region("weights on the card", "load", base, "held after the load")
    outside = [gap for one in (loaded, *serving.values()) if (gap := _outside(one)) is not None]
    if outside:
        yield _region("CUDA context", "import", max(outside), "what NVML counts beyond the framework's allocator")
    each, once = _requests(serving, base, concurrency)
    yield _region("activations on the card", "serve", each, f"added by each request, {concurrency} tried", "request")
    yield _region("activations of one on the card", "serve", once, "needed once, however many come", "moment")
    held = max((one.held_peak_bytes or 0 for one in serving.values()), default=0)
    slack = held - base - each * concurrency - once
    yield _region("allocator slack", "serve", slack, "held by the allocator beyond what was ever in use")


def _outside(one: CardReading) -> int | None:
    """Beyond the allocator; None where NVML or the framework does not tell."""
    inside = one.held_bytes if one.held_bytes is not None else one.used_bytes
    return None if inside is None or one.process_bytes is None else one.process_bytes - inside


def _requests(serving: Mapping[StageName, CardReading], base: int, concurrency: int) -> tuple[int, int]:
    """Peak beyond the load as (of each request, once), by the slope between one request and several."""
    peaks = {name: max(0, _peak(one) - base) for name, one in serving.items()}
    alone = max((peaks[name] for name in ("first", "alone") if name in peaks), default=0)
    peak = max(peaks.values())
    if concurrency == 1:
        return peak, 0
    each = min((peak - alone) // (concurrency - 1), peak // concurrency)
    return each, peak - each * concurrency


def _peak(one: CardReading) -> int:
    return one.used_peak_bytes if one.used_peak_bytes is not None else one.process_bytes or 0


def _region(name: str, stage: Stage, size: int, because: str, per: Per = "process") -> Region:
    size = max(0, size)
    return Region(
        name=name, stage=stage, kind="gpu", per=per, bytes=size, lower_bytes=size, source="measured", because=because
    )
