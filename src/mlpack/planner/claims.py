"""What every service claims of the memory there is, and the choice that its share allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from mlpack.plan import Decided
from mlpack.planner.alternatives import must_bytes
from mlpack.planner.budget import Household, water_fill
from mlpack.planner.capacity import candidates, in_turn, pick
from mlpack.planner.decide import whole
from mlpack.planner.memory import Need, Sums, need, sums
from mlpack.planner.refusal import refuse_household, refuse_limit
from mlpack.planner.subject import Choice, Subject
from mlpack.report import Finding
from mlpack.spec import Spec
from mlpack.units import MIB, show_mib


class Claim(NamedTuple):
    """A service's ways to run with their needs. ``smallest`` needs the least (its workers loading in turn, if that is
    what makes it so), ``wished`` is taken if memory abounds."""

    subject: Subject
    sums: Sums
    needs: Mapping[Choice, Need]
    smallest: Choice
    wished: Choice
    whole: bool
    """``wished`` needs no more than the user's own limit, where there is one."""

    def best(self, available: int | None, spec: Spec) -> Choice | None:
        """The choice for ``spec``'s objective among those whose replicas fit into ``available`` bytes together; None
        where none does.

        Which one does not depend on whether its workers must load in turn: they do only where all at once do not fit.
        """
        fitting = [choice for choice in self.needs if self.fits(choice, available)]
        if not fitting:
            return None

        def bytes_of(choice: Choice) -> int:
            return self.needs[choice].limit * choice.replicas

        chosen = pick(self.subject, fitting, bytes_of, spec.objective, spec.load)
        return chosen if self._holds(chosen, available) else self.turned(chosen)

    def fits(self, choice: Choice, available: int | None) -> bool:
        """All replicas of ``choice`` fit into ``available`` bytes, its workers loading in turn if need be."""
        if self._holds(choice, available):
            return True
        other = self.turned(choice)
        return other is not None and self._holds(other, available)

    def turned(self, choice: Choice) -> Choice | None:
        """``choice`` with its workers loading one after the other, where that needs less."""
        sum_ = self.needs[choice]
        return in_turn(self.subject, choice) if sum_.load > sum_.serve else None

    def need_of(self, choice: Choice) -> Need:
        """What one replica of ``choice`` needs; that of workers in turn is worked out when it is asked for."""
        return self.needs.get(choice) or need(self.subject, choice, self.sums)

    def _holds(self, choice: Choice, available: int | None) -> bool:
        """``choice`` as it is fits, also below the user's own limit for one replica."""
        limit, insisted = self.need_of(choice).limit, self.subject.service.memory_bytes
        if insisted is not None and limit > insisted:
            return False
        return available is None or choice.replicas * (insisted or limit) <= available

    def least_bytes(self) -> int:
        """What all replicas must have: the whole of a measured need, the sure part of an estimated one."""
        least = self.need_of(self.smallest)
        sure = must_bytes(self.subject, least)
        return self.smallest.replicas * (self.subject.service.memory_bytes or sure)

    def safe_bytes(self) -> int:
        """What the smallest way to run needs with its headroom, all replicas."""
        return self.smallest.replicas * (self.subject.service.memory_bytes or self.need_of(self.smallest).limit)

    def wished_bytes(self) -> int:
        """What the best way to run needs with its headroom, all replicas."""
        return self.wished.replicas * (self.subject.service.memory_bytes or self.need_of(self.wished).limit)


class Settled(NamedTuple):
    """The outcome for one service: its choice, its sum, and the limit of one replica."""

    subject: Subject
    choice: Choice
    sum_: Need
    limit: Decided[int]
    fitting: int
    ways: int
    together_bytes: int | None = None
    """The limit that all workers loading at once would need, where they load in turn."""
    findings: tuple[Finding, ...] = ()


def claim(subject: Subject, spec: Spec) -> Claim:
    """All ways to run ``subject``. Raises SpecError or DoesNotFit where the user's own numbers allow none."""
    sums_ = sums(subject)
    needs = {choice: need(subject, choice, sums_) for choice in candidates(subject, spec.load)}
    least = min(needs, key=lambda choice: (choice.replicas * needs[choice].limit, choice.workers))
    known = Claim(subject, sums_, needs, least, least, whole=False)
    smallest = known.turned(least) or least  # one worker, where the user sets no number, and that waits for nobody
    insisted = subject.service.memory_bytes
    if insisted is not None and must_bytes(subject, known.need_of(smallest)) > insisted:
        raise refuse_limit(subject, smallest, known.need_of(smallest), insisted)
    wished = known.best(None, spec)
    return Claim(subject, sums_, needs, smallest, wished or smallest, whole=wished is not None)


def settle(claims: Mapping[str, Claim], house: Household, spec: Spec) -> dict[str, Settled]:
    """Share the usable memory: what must be, then what services without models need, then the models' comfort.

    Raises DoesNotFit where not even what must be fits.
    """
    given = {name: claim.least_bytes() for name, claim in claims.items()}
    if sum(given.values()) > house.usable.value:
        raise refuse_household({n: (c.subject, c.smallest, c.need_of(c.smallest)) for n, c in claims.items()}, house)
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
    insisted = subject.service.memory_bytes
    ways = len(claim.needs)
    chosen = claim.wished if given >= claim.wished_bytes() and claim.whole else claim.best(given, spec)
    if chosen is None:
        choice, sum_ = claim.smallest, claim.need_of(claim.smallest)
        available = insisted if insisted is not None else given // choice.replicas // MIB * MIB
        may_not = _may_not_fit(subject, sum_, available)
        limit = _clipped(subject, sum_, available)
        return Settled(_alone(subject, choice), choice, sum_, limit, 1, ways, findings=(may_not,))
    sum_ = claim.need_of(chosen)
    together = claim.needs[chosen._replace(in_turn=False)].limit if chosen.in_turn else None
    fitting = sum(claim.fits(choice, given) for choice in claim.needs)
    return Settled(_alone(subject, chosen), chosen, sum_, _limit(subject, chosen, sum_), fitting, ways, together)


def _alone(subject: Subject, choice: Choice) -> Subject:
    """``subject`` as one replica of ``choice`` sees it: with its own share of the cores."""
    return replace(subject, cores=subject.cores_of(choice), balanced_by=None) if choice.replicas > 1 else subject


def _limit(subject: Subject, choice: Choice, sum_: Need) -> Decided[int]:
    if subject.service.memory_bytes is not None:
        known = "usual" if subject.packaged else subject.footprint.source
        because = f"set in the spec; the {known} need is {show_mib(sum_.limit)}"
        return whole(value=subject.service.memory_bytes, source=subject.said("memory_bytes"), because=because)
    loading = "loading in turn" if choice.in_turn else "loading"
    because = (
        f"1.05 x max({show_mib(sum_.load)} {loading}, {show_mib(sum_.serve)} serving)"
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
