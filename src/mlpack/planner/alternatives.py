"""What would make a refused service fit, worked out: each way alone is enough, and those that are not are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from mlpack.model import ModelInfo
from mlpack.planner.capacity import preload_blocked
from mlpack.planner.memory import Need, need
from mlpack.planner.subject import Choice, Subject
from mlpack.units import ceil_mib, show_mib

FULL_PRECISION = frozenset({"F32", "F64"})
WIDE_GGUF = frozenset({"F32", "F16", "BF16", "Q8_0"})
Q4_SHARE = 4.5 / 8.5
"""Q4_0 stores 32 weights in 18 bytes, Q8_0 in 34 (ggml's block sizes); wider types shrink more."""


def must_bytes(subject: Subject, sum_: Need) -> int:
    """What is refused below: the whole measured need with headroom, or the sure part of an estimate."""
    return sum_.limit if subject.sure else min(ceil_mib(sum_.lower), sum_.limit)


def smaller(subject: Subject, choice: Choice, short: int) -> list[str]:
    """What would make one replica ``short`` bytes smaller: each way worked out, those that do not suffice left out."""
    ways = []
    now = must_bytes(subject, need(subject, choice))

    def saves(other: Choice) -> bool:
        return now - must_bytes(subject, need(subject, other)) >= short

    fields: tuple[Literal["workers", "concurrency"], ...] = ("workers", "concurrency")
    for field in fields:
        lesser = (n for n in range(getattr(choice, field) - 1, 0, -1) if saves(_with(choice, field, n)))
        found = next(lesser, None)
        if found is not None:
            ways.append(f"{field}: {found} for {subject.name}")
    if preload_blocked(subject) and not subject.footprint.fork_proven and choice.workers > 1 and _may_preload(subject):
        proven = replace(subject, footprint=subject.footprint.model_copy(update={"fork_proven": True}))
        if now - must_bytes(proven, need(proven, choice._replace(preload=True))) >= short:
            ways.append("preload, if `mlpack estimate --measure` proves that workers answer after a fork")
    return [*ways, *_narrower(subject, choice, short), *_smaller_input(subject, choice, short)]


def _with(choice: Choice, field: Literal["workers", "concurrency"], number: int) -> Choice:
    return choice._replace(workers=number) if field == "workers" else choice._replace(concurrency=number)


def _may_preload(subject: Subject) -> bool:
    unsafe = any(runtime.fork_safe == "no" for runtime in subject.runtimes)
    return subject.facts.preload_fork_point is not None and not unsafe


def _smaller_input(subject: Subject, choice: Choice, short: int) -> list[str]:
    measured = subject.sure
    per_request = sum(
        r.bytes if measured else r.lower_bytes
        for r in subject.footprint.regions
        if r.per == "request" and r.kind == "anonymous"
    )
    activations = per_request * choice.workers * choice.concurrency
    if activations <= short or not subject.computes:
        return []
    share = int(100 * (1 - short * (1.05 if measured else 1.0) / activations))
    return [f"a max_input (batch, tokens or shape) of at most {share} % of today's"] if share >= 1 else []


def fewer_replicas(musts: Mapping[str, tuple[int, int]], short: int) -> list[str]:
    """Services whose replicas could be fewer. ``musts``: replicas, and the bytes that all of them need."""
    ways = []
    for name, (replicas, bytes_) in musts.items():
        left = next((n for n in range(replicas - 1, 0, -1) if bytes_ * (replicas - n) // replicas >= short), None)
        if left is not None:
            ways.append(f"replicas: {left} for {name}")
    return ways


def _narrower(subject: Subject, choice: Choice, short: int) -> list[str]:
    """Weights of fewer bits, where the headers say that they are wide and that alone would do."""
    savings = [_saved_bytes(info) for info in subject.infos]
    saved = sum(each for each, _ in savings)
    words = max(savings, default=(0, ""))[1]
    # never more than half of what is counted for loading: a mapped file may be counted in part only
    counted = sum(
        region.bytes if subject.sure else region.lower_bytes
        for region in subject.footprint.regions
        if region.stage == "load" and region.per == "process" and region.kind in ("anonymous", "mapped")
    )
    mapped = subject.footprint.sum_bytes("mapped", "load") > counted // 2
    copies = 1 if mapped or choice.preload else choice.workers
    saved = min(saved, counted // 2) * copies
    return [f"{words} (about {show_mib(saved)} less)"] if saved >= short and words else []


def _saved_bytes(info: ModelInfo) -> tuple[int, str]:
    """Bytes of one copy that a usual narrower dtype saves, and its words; nothing where the header tells no dtype."""
    if info.format == "gguf":
        wide = sum(share.bytes for share in info.dtypes if share.dtype in WIDE_GGUF)
        return int(wide * (1 - Q4_SHARE)), "another dtype: a 4-bit file (Q4_0) of the same model"
    full = sum(share.bytes for share in info.dtypes if share.dtype in FULL_PRECISION)
    return full // 2, "another dtype: weights in 16 bits, where the app keeps them so"
