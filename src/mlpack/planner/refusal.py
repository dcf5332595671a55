"""The message of a refusal: the whole sum, the shortfall, and what would make it fit, worked out."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from mlpack.errors import DoesNotFit
from mlpack.planner.alternatives import fewer_replicas, must_bytes, smaller
from mlpack.planner.budget import Household
from mlpack.planner.machines import fitting_machines, sold_bytes
from mlpack.planner.memory import Need, Row, rows
from mlpack.planner.subject import Choice, Subject
from mlpack.units import GIB, ceil_mib, counted, show_mib

Wanted = tuple[Subject, Choice, Need]


def refuse_limit(subject: Subject, choice: Choice, sum_: Need, limit: int) -> DoesNotFit:
    """The user's own limit for a service is below what even its smallest way to run needs."""
    must = must_bytes(subject, sum_)
    lines = [
        f"{subject.name} needs {show_mib(must)}, its memory is set to {show_mib(limit)}: "
        f"{show_mib(must - limit)} short",
        *sum_lines(subject, choice, sum_),
    ]
    ways = [f"set it to {show_mib(must)} or more, or leave it out", *smaller(subject, choice, must - limit)]
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
    ways = [
        *fewer_replicas({name: (one[1].replicas, musts[name]) for name, one in wanted.items()}, short),
        *smaller(subject, choice, -(-short // choice.replicas)),
        *_bigger_share(needed, house),
        _bigger_host(needed, house),
    ]
    return DoesNotFit(
        "\n".join(lines),
        where="budget.memory",
        hint="; or ".join(ways),
        needed_bytes=needed,
        host_bytes=house.host_bytes(needed),
    )


def sum_lines(subject: Subject, choice: Choice, sum_: Need) -> list[str]:
    """The sum of one replica row by row, as it is refused: measured bytes, or an estimate's lower bounds."""
    measured = subject.sure
    loading = sum_.load > sum_.serve
    serving = "while one worker loads and the others serve" if sum_.reloads else "while serving"
    when = "while loading" if loading else serving
    kind = "measured" if measured else f"lower bounds of an estimate of {show_mib(sum_.limit)}"
    workers = counted(choice.workers, "worker")
    lines = [f"{subject.name}, one replica {when} ({kind}): {workers}, {choice.concurrency} at once each"]
    lines += [
        _row(row, each)
        for row in rows(subject, choice, "load" if loading else sum_.serving)
        if (each := row.each if measured else row.lower)
    ]
    if measured:
        lines.append(f"  {show_mib(sum_.limit - max(sum_.load, sum_.serve)):>12}  headroom")
    return lines


def _row(row: Row, each: int) -> str:
    times = f" ({row.times} x {show_mib(each)})" if row.times > 1 else ""
    return f"  {show_mib(each * row.times):>12}  {row.name}{times}"


def _times(replicas: int) -> str:
    return f" ({replicas} replicas)" if replicas > 1 else ""


def _bigger_share(must: int, house: Household) -> list[str]:
    """The share of this very host with which the plan would fit, where what is kept back stays free."""
    if house.share is None or must > house.total.value - house.kept_bytes:
        return []
    return [f"budget.memory_share: {ceil(100 * must / house.total.value) / 100:g} of this host"]


def _bigger_host(must: int, house: Household) -> str:
    host = house.host_bytes(must)
    if house.share is None:
        return f"budget.memory of {show_mib(ceil_mib(must))} on a host with {show_mib(host)}"
    sold = sold_bytes(host)
    names = fitting_machines(sold, house.cores.value)
    like = f", like {' or '.join(names)}" if names else ""
    return f"a host with {show_mib(host)} of memory ({-(-sold // GIB)} GiB as it is sold{like})"
