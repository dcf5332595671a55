"""The host's memory and cores, shared out: what there is, what is kept back, what each service may take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlpack.errors import DoesNotFit
from mlpack.host import HostFacts
from mlpack.plan import Decided, Source
from mlpack.planner.decide import real, whole
from mlpack.planner.subject import Origin, Subject
from mlpack.report import Finding
from mlpack.spec import Budget, Service, Spec
from mlpack.units import GIB, ceil_mib, show_bytes

MEMORY_SHARE = 0.85
"""Without a profile: a machine that mostly runs this project. dev says 0.5, prod 0.85."""
KEEP_BACK_BYTES = GIB
"""The operating system, the engine and a shell to look around when something is wrong."""
CPU_CAPS = {"broker": 0.5, "proxy": 0.5, "watch": 0.25, "database": 1.0}
"""Caps of programs that mostly wait: caps may overlap, they reserve nothing. Redis and Caddy serve thousands of
small requests a second in half a core; the app behind them is the bound."""


@dataclass(frozen=True)
class Household:
    """The memory and cores that this project may use, and what was said about it."""

    total: Decided[int]
    usable: Decided[int]
    cores: Decided[float]
    share: float | None
    """The share of the total that is usable; None where the budget is absolute."""
    kept_bytes: int
    findings: tuple[Finding, ...] = ()

    def host_bytes(self, used_bytes: int) -> int:
        """The memory of a host on which ``used_bytes`` are usable, under the same share and keep-back."""
        by_share = used_bytes / self.share if self.share else 0
        return ceil_mib(max(by_share, used_bytes + self.kept_bytes))


def household(host: HostFacts, spec: Spec, origins: Mapping[str, Origin], *, containers: bool) -> Household:
    """What ``host`` has for ``spec``; ``containers``: some service runs in the engine, whose memory then counts.

    Raises DoesNotFit where nothing is left after what is kept back.
    """
    total, cores = _total(host, containers=containers), _cores(host, containers=containers)
    budget, findings = spec.budget, []
    kept = KEEP_BACK_BYTES if budget.keep_back_bytes is None else budget.keep_back_bytes
    share = MEMORY_SHARE if budget.memory_share is None else budget.memory_share
    most = total.value - kept
    if most <= 0:
        raise DoesNotFit(
            f"{show_bytes(total.value)} of memory, of which {show_bytes(kept)} are kept back: nothing is left",
            where="budget.keep_back",
            hint="plan for a machine with more memory",
        )
    if budget.memory_bytes is not None:
        usable = whole(
            value=min(budget.memory_bytes, most),
            source=origins.get("budget.memory_bytes", "user"),
            because=f"budget.memory, at most {show_bytes(total.value)} less {show_bytes(kept)} kept back",
        )
        if budget.memory_bytes > most:
            findings.append(_beyond("memory", show_bytes(budget.memory_bytes), show_bytes(most)))
    else:
        usable = whole(
            value=min(int(total.value * share), most), source=_share_source(budget, origins), because=_why(share, kept)
        )
    if budget.cpus is not None:
        if budget.cpus > cores.value:
            findings.append(_beyond("cpus", f"{budget.cpus:g} cores", f"{cores.value:g} cores"))
        else:
            source = origins.get("budget.cpus", "user")
            cores = real(value=budget.cpus, source=source, because="budget.cpus")
    absolute = budget.memory_bytes is not None
    return Household(total, usable, cores, None if absolute else share, kept, tuple(findings))


def core_shares(services: Mapping[str, Service], cores: float) -> dict[str, float]:
    """Cores that ONE replica of each service may compute with: services with models share them evenly.

    Services without models are given all, as they mostly wait; the engine schedules them fairly.
    """
    replicas = sum(service.replicas or 1 for service in services.values() if service.models)
    even = cores if replicas <= 1 else max(1.0, float(int(cores // replicas)))
    return {name: min(service.cpus or (even if service.models else cores), cores) for name, service in services.items()}


def decided_cpus(subject: Subject, workers: int, cores: float) -> Decided[float]:
    """The CPU cap of one replica. Raises DoesNotFit where the user's is more than there is."""
    if subject.service.cpus is not None:
        if subject.service.cpus > cores:
            raise DoesNotFit(
                f"{subject.name} is to have {subject.service.cpus:g} cores, there are {cores:g}",
                where=f"services.{subject.name}.cpus",
                hint=f"set it to {cores:g} or less, or plan for a machine with more cores",
            )
        return real(value=subject.service.cpus, source=subject.said("cpus"), because="set in the spec")
    if subject.computes:
        because = f"its share of {cores:g} cores; threads are set to fill it"
        return real(value=subject.cores, source="calculated", because=because)
    cap = CPU_CAPS.get(subject.facts.role, float(workers))
    because = "a cap on a program that mostly waits, not a reservation"
    return real(value=min(cap, cores), source="default", because=because)


def water_fill(available: int, wants: Sequence[int]) -> tuple[int, ...]:
    """Share ``available`` among ``wants``: everyone gets up to one common level, nobody more than wanted.

    With more to share nobody gets less, which is what makes more memory never worse for any service.
    """
    given = [0] * len(wants)
    left, open_ = available, sorted(range(len(wants)), key=lambda i: (wants[i], i))
    for position, index in enumerate(open_):
        given[index] = max(0, min(wants[index], left // (len(open_) - position)))
        left -= given[index]
    return tuple(given)


def _total(host: HostFacts, *, containers: bool) -> Decided[int]:
    engine = host.engine
    if containers and engine is not None and (engine.virtual_machine or engine.memory_bytes < host.memory_bytes):
        where = "the engine's virtual machine, not the host" if engine.virtual_machine else "what the engine reports"
        return whole(value=engine.memory_bytes, source="probed", because=where)
    limited = host.memory_bytes < host.memory.total_bytes
    return whole(value=host.memory_bytes, source="probed", because="cgroup limit" if limited else "RAM of the host")


def _cores(host: HostFacts, *, containers: bool) -> Decided[float]:
    engine = host.engine
    if containers and engine is not None and (engine.virtual_machine or engine.cores < host.cores):
        where = "the engine's virtual machine" if engine.virtual_machine else "what the engine reports"
        return real(value=float(engine.cores), source="probed", because=where)
    return real(value=host.cores, source="probed", because="min(affinity, cgroup quota)")


def _share_source(budget: Budget, origins: Mapping[str, Origin]) -> Source:
    return "default" if budget.memory_share is None else origins.get("budget.memory_share", "user")


def _why(share: float, kept: int) -> str:
    return f"{share:.0%} of it, and at least {show_bytes(kept)} kept back for system and engine"


def _beyond(what: str, asked: str, there: str) -> Finding:
    return Finding(
        code="budget-exceeds-host",
        severity="warning",
        message=f"budget.{what} allows {asked}; this host can give {there}, which is what was planned with",
        where=f"budget.{what}",
    )
