"""The message of a refusal: the whole sum, the shortfall, and what would make it fit, worked out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from mlpack.errors import DoesNotFit
from mlpack.planner.budget import Household
from mlpack.planner.capacity import preload_blocked
from mlpack.planner.machines import fitting_machines, sold_bytes
from mlpack.planner.memory import Need, Row, need
from mlpack.planner.subject import Choice, Subject
from mlpack.units import GIB, ceil_mib, show_mib

Wanted = tuple[Subject, Choice, Need]


def refuse_limit(subject: Subject, choice: Choice, sum_: Need, limit: int) -> DoesNotFit:
    """The user's own limit for a service is below what even its smallest way to run needs."""
    must = must_bytes(subject, sum_)
    lines = [
        f"{subject.name} needs {show_mib(must)}, its memory is set to {show_mib(limit)}: "
        f"{show_mib(must - limit)} short",
        *sum_lines(subject, choice, sum_),
    ]
    ways = [f"set it to {show_mib(must)} or more, or leave it out", *_smaller(subject, choice, must - limit)]
    return DoesNotFit("\n".join(lines), where=f"services.{subject.name}.memory", hint="; or ".join(ways))


def refuse_household(wanted: Mapping[str, Wanted], house: Household) -> DoesNotFit:
    """All services together need more than the host may give."""
    musts = {
        name: choice.replicas * (subject.service.memory_bytes or must_bytes(subject, sum_))
        for name, (subject, choice, sum_) in wanted.items()
    }
    short = sum(musts.values()) - house.usable.value
    lines = [
        f"does not fit: {show_mib(sum(musts.values()))} needed, {show_mib(house.usable.value)} usable of "
        f"{show_mib(house.total.value)} ({house.usable.because}): {show_mib(short)} short"
    ]
    lines += [f"  {show_mib(musts[name]):>12}  {name}{_times(wanted[name][1].replicas)}" for name in musts]
    largest = max(musts, key=lambda name: (musts[name], name))
    subject, choice, sum_ = wanted[largest]
    lines += sum_lines(subject, choice, sum_)
    needed = sum(musts.values())
    ways = [*_smaller(subject, choice, -(-short // choice.replicas)), _bigger_host(needed, house)]
    return DoesNotFit(
        "\n".join(lines),
        where="budget.memory",
        hint="; or ".join(ways),
        needed_bytes=needed,
        host_bytes=_host_bytes(needed, house),
    )


def must_bytes(subject: Subject, sum_: Need) -> int:
    """What is refused below: the whole measured need with headroom, or the sure part of an estimate."""
    return sum_.limit if subject.sure else min(ceil_mib(sum_.lower), sum_.limit)


def sum_lines(subject: Subject, choice: Choice, sum_: Need) -> list[str]:
    """The sum of one replica row by row, as it is refused: measured bytes, or an estimate's lower bounds."""
    measured = subject.sure
    loading = sum_.load > sum_.serve
    rows = sum_.load_rows if loading else sum_.serve_rows
    when = "while loading" if loading else "while serving"
    kind = "measured" if measured else f"lower bounds of an estimate of {show_mib(sum_.limit)}"
    workers = "1 worker" if choice.workers == 1 else f"{choice.workers} workers"
    lines = [f"{subject.name}, one replica {when} ({kind}): {workers}, {choice.concurrency} at once each"]
    lines += [_row(row, each) for row in rows if (each := row.each if measured else row.lower)]
    if measured:
        lines.append(f"  {show_mib(sum_.limit - max(sum_.load, sum_.serve)):>12}  headroom")
    return lines


def _row(row: Row, each: int) -> str:
    times = f" ({row.times} x {show_mib(each)})" if row.times > 1 else ""
    return f"  {show_mib(each * row.times):>12}  {row.name}{times}"


def _times(replicas: int) -> str:
    return f" ({replicas} replicas)" if replicas > 1 else ""


def _smaller(subject: Subject, choice: Choice, short: int) -> list[str]:
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
        if now - must_bytes(proven, need(proven, replace(choice, preload=True))) >= short:
            ways.append("preload, if `mlpack estimate --measure` proves that workers answer after a fork")
    return ways + _smaller_input(subject, choice, short)


def _with(choice: Choice, field: Literal["workers", "concurrency"], number: int) -> Choice:
    return replace(choice, workers=number) if field == "workers" else replace(choice, concurrency=number)


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


def _host_bytes(must: int, house: Household) -> int:
    """The memory with which this very plan would fit, under the same share and keep-back."""
    return ceil_mib(max(must / house.share if house.share else 0, must + house.kept_bytes))


def _bigger_host(must: int, house: Household) -> str:
    host = _host_bytes(must, house)
    if house.share is None:
        return f"budget.memory of {show_mib(ceil_mib(must))} on a host with {show_mib(host)}"
    sold = sold_bytes(host)
    names = fitting_machines(sold, house.cores.value)
    like = f", like {' or '.join(names)}" if names else ""
    return f"a host with {show_mib(host)} of memory ({-(-sold // GIB)} GiB as it is sold{like})"
