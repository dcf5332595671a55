"""What the checks of one verification share, and the answer that each gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlpack.launchers.base import Built, Instance, Launched, Say, State
from mlpack.lock import Lock
from mlpack.plan import Plan, ServicePlan
from mlpack.report import LoadResult, Patch, ServiceMeasurement, Status
from mlpack.verify.asking import Asker
from mlpack.verify.busy import Mark
from mlpack.verify.cause import Cause, likely_cause
from mlpack.verify.watch import Watch


@dataclass(frozen=True)
class Answer:
    """What a check found: the status, one line, the evidence for it, and what to do."""

    status: Status
    summary: str
    evidence: tuple[str, ...] = ()
    hint: str | None = None
    patches: tuple[Patch, ...] = ()
    """Changes of mlpack.yaml that would mend it, beside those of the causes that were looked for meanwhile."""
    kind: str | None = None
    """What it is a case of, where the check itself knows; else the cause's."""


@dataclass(frozen=True)
class Poll:
    """One question to a health route during the load: when, how long it took, and why it was not 200 (None: it was)."""

    instance: str
    elapsed_s: float
    reason: str | None = None


@dataclass
class Run:
    """One verification under way. Checks read it, and leave in it what later checks need."""

    root: Path
    lock: Lock
    launched: Launched
    environ: Mapping[str, str]
    say: Say
    built: Built = field(default_factory=Built)
    instances: tuple[Instance, ...] = ()
    started: Mark | None = None
    """How busy the machine had been until then."""
    asker: Asker | None = None
    watches: tuple[Watch, ...] = ()
    cache_warm: str | None = None
    """Why the files were not surely cold before the start; None when they were."""
    load: LoadResult | None = None
    load_requests: int = 0
    alone_s: dict[str, float] = field(default_factory=dict)
    """Request -> seconds it takes alone, of those in the load."""
    polls: tuple[Poll, ...] = ()
    """Health during the load."""
    causes: dict[str, Cause] = field(default_factory=dict)
    """Service -> what the check under way found to be wrong with it: the remedies go into its result."""
    measurements: tuple[ServiceMeasurement, ...] = ()
    ended: set[str] = field(default_factory=set)
    """Instances that a planted accident ended for good: nothing can be asked of them any more."""
    thorough: bool = False
    """Try also what takes longer than is waited for by default."""
    no_card: str | None = None
    """Why the planned cards are not here; None where they are, or none is planned."""

    @property
    def secrets(self) -> Mapping[str, str]:
        """Name -> value; known once built. ``hidden`` keeps them out of every report."""
        return self.launched.secrets

    def hidden(self, text: str) -> str:
        """``text`` with the values of secrets blotted out: servers repeat what they were sent, and log it."""
        for value in sorted(filter(None, self.secrets.values()), key=len, reverse=True):
            text = text.replace(value, "***")
        return text

    @property
    def plan(self) -> Plan:
        """The lock's plan."""
        return self.lock.plan

    def service(self, instance: Instance) -> ServicePlan:
        """The plan of the service that ``instance`` runs."""
        return self.plan.services[instance.service]

    def watch(self, instance: Instance) -> Watch | None:
        """The watch over ``instance``; None where it ended before anybody could look."""
        return next((watch for watch in self.watches if watch.instance is instance), None)

    def oom_kills(self, instance: Instance, state: State | None = None) -> int:
        """Processes of ``instance`` killed for memory so far. ``state``: its keeper's word, where just asked."""
        watch, state = self.watch(instance), state or instance.state()
        return int(state.oom_killed) if watch is None else watch.oom_kills(state)

    def cause(self, instance: Instance) -> Cause:
        """The most likely cause of what is wrong with ``instance``; the check's result gets its remedies."""
        state = instance.state()
        found = likely_cause(instance.name, state, self.oom_kills(instance, state), instance.logs())
        if found.kind is not None:
            self.causes[instance.service] = found
        return found

    def cause_of_answer(self, instance: Instance) -> Cause:
        """The same for a wrong answer of ``instance``, which may be the fault of a service behind it."""
        found = self.cause(instance)
        others = () if found.words else (self.cause(one) for one in self.instances if one is not instance)
        return next((other for other in others if other.words), found)

    def proxies_of(self, service: str) -> tuple[str, ...]:
        """Services that stand before ``service``: what passes requests on to it, directly or through others."""
        found = [service]
        for at in found:
            found += [name for name, one in self.plan.spec.services.items() if one.to == at and name not in found]
        return tuple(found[1:])

    def asking_at(self, instance: Instance) -> Asker:
        """The asker that asks this very replica, past proxies; where it has no port of its own, whoever answers."""
        if instance.url is None:
            return self.asking()
        return self.asking().at((instance.service, *self.proxies_of(instance.service)), instance.url)

    def services_of(self, request: str) -> frozenset[str]:
        """Services that the steps of ``request`` speak to, and what stands behind those that are proxies."""
        found: set[str] = set()
        for step in self.plan.spec.requests[request].steps:
            at = None if step.run else step.to
            while at is not None and at not in found and at in self.plan.spec.services:
                found.add(at)
                at = self.plan.spec.services[at].to
        return frozenset(found)

    def environment(self, service: str) -> dict[str, str]:
        """The variables that the plan itself decided for ``service``, unless the user's own value wins."""
        users = self.plan.spec.services[service].env
        planned = self.plan.services[service].environment
        return {key: decided.value for key, decided in planned.items() if key not in users}

    def limited(self, instance: Instance) -> bool:
        """Whether its memory limit is in force, as far as the launcher could set it."""
        return not any(line.startswith("memory") and instance.name in line for line in self.launched.not_limited)

    def asking(self) -> Asker:
        """The asker, once services have addresses."""
        assert self.asker is not None, "a check that asks needs `starts`"
        return self.asker
