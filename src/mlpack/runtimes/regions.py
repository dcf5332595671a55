"""Short constructors for the regions that runtimes estimate, so that every one says its lower bound and its reason."""

from __future__ import annotations

from mlpack.footprint import Kind, Per, Region, Stage


def region(name: str, stage: Stage, kind: Kind, per: Per, count: float, *, lower: float, because: str) -> Region:
    """An estimated region of ``count`` bytes that is surely at least ``lower`` bytes."""
    return Region(
        name=name,
        stage=stage,
        kind=kind,
        per=per,
        bytes=round(count),
        lower_bytes=round(min(lower, count)),
        source="estimated",
        because=because,
    )


def weights(name: str, kind: Kind, count: float, *, lower: float, because: str) -> Region:
    """The model's weights, held while the process lives."""
    return region(f"{name} weights", "load", kind, "process", count, lower=lower, because=because)


def transient(name: str, count: float, *, lower: float, because: str) -> Region:
    """Memory that loading needs beyond what stays."""
    return region(f"{name} load peak", "load", "anonymous", "moment", count, lower=lower, because=because)


def activations(name: str, count: float, *, lower: float, because: str) -> Region:
    """What one request's inference holds at its peak."""
    return region(f"{name} activations", "serve", "anonymous", "request", count, lower=lower, because=because)


def creep(name: str, count: float) -> tuple[Region, ...]:
    """Growth of the allocator under varying input lengths, once per process; none where lengths do not vary."""
    if count <= 0:
        return ()
    because = "varying lengths make the allocator creep: 273 -> 315 MiB over 100 of them at width 768 (docs/memory.md)"
    return (region(f"{name} allocator growth", "serve", "anonymous", "process", count, lower=0, because=because),)
