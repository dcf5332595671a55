"""What every service claims of the memory there is, and the choice that its share allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlpack.plan import Decided
from mlpack.planner.alternatives import must_bytes
from mlpack.planner.budget import Household, water_fill
from mlpack.planner.capacity import candidates, pick
from mlpack.planner.decide import whole
from mlpack.planner.memory import Need, need
from mlpack.planner.refusal import refuse_household, refuse_limit
from mlpack.planner.subject import Choice, Subject
from mlpack.report import Finding
from mlpack.spec import Spec
from mlpack.units import MIB, show_mib


@dataclass(frozen=True)
class Claim:
    """A service's ways to run with their needs. ``smallest`` needs the least, ``wished`` is taken if memory abounds."""

    subject: Subject
    needs: Mapping[Choice, Need]
    smallest: Choice
    wished: Choice

    def least_bytes(self) -> int:
        """What all replicas must have: the whole of a measured need, the sure part of an estimated one."""
        least = self.needs[self.smallest]
        sure = must_bytes(self.subject, least)
        return self.smallest.replicas * (self.subject.service.memory_bytes or sure)

    def safe_bytes(self) -> int:
        """What the smallest way to run needs with its headroom, all replicas."""
        return self.smallest.replicas * (self.subject.service.memory_bytes or self.needs[self.smallest].limit)

    def wished_bytes(self) -> int:
        """What the best way to run needs with its headroom, all replicas."""
        return self.wished.replicas * (self.subject.service.memory_bytes or self.needs[self.wished].limit)


@dataclass(frozen=True)
class Settled:
    """The outcome for one service: its choice, its sum, and the limit of one replica."""

    subject: Subject
    choice: Choice
    sum_: Need
    limit: Decided[int]
    fitting: int
    ways: int
    findings: tuple[Finding, ...] = ()


def claim(subject: Subject, spec: Spec) -> Claim:
    """All ways to run ``subject``. Raises SpecError or DoesNotFit where the user's own numbers allow none."""
    needs = {choice: need(subject, choice) for choice in candidates(subject)}
    insisted = subject.service.memory_bytes
    smallest = min(needs, key=lambda choice: (needs[choice].limit, choice.workers))
    if insisted is not None and must_bytes(subject, needs[smallest]) > insisted:
        raise refuse_limit(subject, smallest, needs[smallest], insisted)
    fitting = [c for c in needs if insisted is None or needs[c].limit <= insisted] or [smallest]
    wished = pick(subject, fitting, lambda choice: needs[choice].limit, spec.objective, spec.load)
    return Claim(subject, needs, smallest, wished)


def settle(claims: Mapping[str, Claim], house: Household, spec: Spec) -> dict[str, Settled]:
    """Share the usable memory: what must be, then what services without models need, then the models' comfort.

    Raises DoesNotFit where not even what must be fits.
    """
    given = {name: claim.least_bytes() for name, claim in claims.items()}
    if sum(given.values()) > house.usable.value:
        raise refuse_household({n: (c.subject, c.smallest, c.needs[c.smallest]) for n, c in claims.items()}, house)
    plain = [name for name, claim in claims.items() if not claim.subject.computes]
    models = [name for name, claim in claims.items() if claim.subject.computes]
    _raise(given, {name: claims[name].safe_bytes() for name in plain}, house)
    _raise(given, {name: claims[name].safe_bytes() for name in models}, house)
    _raise(given, {name: claims[name].wished_bytes() for name in models}, house)
    return {name: _settle_one(claims[name], given[name], spec) for name in claims}


def _raise(given: dict[str, int], wants: Mapping[str, int], house: Household) -> None:
    """Raise ``given`` towards ``wants`` with what is left of the usable memory."""
    more = water_fill(
        house.usable.value - sum(given.values()), [max(0, want - given[name]) for name, want in wants.items()]
    )
    for name, extra in zip(wants, more, strict=True):
        given[name] += extra


def _settle_one(claim: Claim, given: int, spec: Spec) -> Settled:
    subject = claim.subject
    available = given // claim.smallest.replicas // MIB * MIB
    insisted = subject.service.memory_bytes
    if insisted is not None:
        available = insisted
    fitting = [choice for choice in claim.needs if claim.needs[choice].limit <= available]
    if not fitting:
        choice, sum_ = claim.smallest, claim.needs[claim.smallest]
        return Settled(
            subject,
            choice,
            sum_,
            _clipped(subject, sum_, available),
            1,
            len(claim.needs),
            (_may_not_fit(subject, sum_, available),),
        )
    choice = pick(subject, fitting, lambda c: claim.needs[c].limit, spec.objective, spec.load)
    return Settled(
        subject, choice, claim.needs[choice], _limit(subject, claim.needs[choice]), len(fitting), len(claim.needs)
    )


def _limit(subject: Subject, sum_: Need) -> Decided[int]:
    if subject.service.memory_bytes is not None:
        because = f"set in the spec; {show_mib(sum_.limit)} would do"
        return whole(value=subject.service.memory_bytes, source=subject.said("memory_bytes"), because=because)
    because = (
        f"1.05 x max({show_mib(sum_.load)} loading, {show_mib(sum_.serve)} serving)"
        f" + 0.10 x {show_mib(sum_.mapped)} mapped, in whole MiB"
    )
    return whole(value=sum_.limit, source="default" if subject.packaged else subject.footprint.source, because=because)


def _clipped(subject: Subject, sum_: Need, available: int) -> Decided[int]:
    if subject.service.memory_bytes is not None:
        return whole(value=available, source=subject.said("memory_bytes"), because="set in the spec")
    because = f"all that is left; the estimate asks for {show_mib(sum_.limit)}, at least {show_mib(sum_.lower)}"
    return whole(value=available, source="calculated", because=because)


def _may_not_fit(subject: Subject, sum_: Need, available: int) -> Finding:
    return Finding(
        code="estimate-may-not-fit",
        severity="warning",
        message=f"{subject.name} is estimated to need {show_mib(sum_.limit)} (at least {show_mib(sum_.lower)}), "
        f"it can have {show_mib(available)}",
        where=f"services.{subject.name}",
        hint="measure it: mlpack estimate --measure",
    )
