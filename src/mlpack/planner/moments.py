"""How often each region of one process exists at a moment: the fork table, the only multiplier of memory in mlpack.

Rule and measurements: docs/memory.md.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Literal, NamedTuple, get_args

from mlpack.footprint import Kind, Per, Region, Stage
from mlpack.plan import ForkPoint
from mlpack.planner.subject import Choice, Subject

FORKED_ONCE: dict[ForkPoint, frozenset[Stage]] = {
    "never": frozenset(),
    "before-import": frozenset(),
    "after-import": frozenset({"import"}),
    "after-load": frozenset({"import", "load"}),
}
"""The stages that happen before the fork: their anonymous memory exists once, plus what each child unshares."""


When = Literal["load", "serve", "reload"]
"""``load``: all workers at once, or the last in turn while the others serve already. ``serve``: all serve. ``reload``:
one loads again while the others serve."""


class Counts(NamedTuple):
    """How often regions exist, by their kind of multiplicity (see ``multiplicity``); or bytes, summed alike."""

    once: int = 0
    """Pages of a file, or shared on purpose: once per container. Kernel: the first process's, see memory.py."""
    hot: int = 0
    """Pages of a file that only serving touches."""
    importing: int = 0
    loaded: int = 0
    serving: int = 0
    passing_load: int = 0
    passing_serve: int = 0
    request: int = 0


class Moment(NamedTuple):
    """How many workers exist, load and serve at one moment, and which stages happened once, before the fork."""

    once: frozenset[Stage]
    workers: int
    loading: int
    serving: int
    concurrency: int

    def counts(self) -> Counts:
        """How often a region of each multiplicity exists in one container."""
        once, _, loading, serving, concurrency = self
        importing = 1 if "import" in once else self.workers
        loaded = 1 if "load" in once else self.workers
        return Counts(1, int(serving > 0), importing, loaded, serving, loading, serving, serving * concurrency)


@lru_cache(maxsize=4096)
def moment(choice: Choice, fork: ForkPoint, when: When) -> tuple[Moment, Counts]:
    """The moment ``when`` of ``choice``, whose workers part at ``fork``, and its counts; few differ."""
    once, workers = FORKED_ONCE[fork], choice.workers
    if "load" in once:  # the master alone loads, and no worker ever loads again
        found = Moment(once, *((0, 1, 0) if when == "load" else (workers, 0, workers)), choice.concurrency)
    else:
        one = (1, workers - 1)
        together = one if choice.in_turn else (workers, 0)
        loading, serving = {"load": together, "serve": (0, workers), "reload": one}[when]
        found = Moment(once, workers, loading, serving, choice.concurrency)
    return found, found.counts()


def _multiplicity(stage: Stage, kind: Kind, per: Per) -> str | None:
    """The field of ``Counts`` that multiplies such a region; None for a card's memory, which no container holds."""
    serve = stage == "serve"
    if kind == "gpu":
        return None
    if kind == "mapped" and serve:
        return "hot"
    if per == "moment":
        return "passing_serve" if serve else "passing_load"
    if per == "request":
        return "request"
    if kind in ("mapped", "shm", "kernel"):
        return "once"
    return "serving" if serve else {"import": "importing", "load": "loaded"}[stage]


MULTIPLICITY = {
    (stage, kind, per): _multiplicity(stage, kind, per)
    for stage, kind, per in product(get_args(Stage), get_args(Kind), get_args(Per))
}
"""For every kind of region; asked thousands of times for a large system."""


def multiplicity(region: Region) -> str | None:
    """The field of ``Counts`` that multiplies ``region``; None for a card's memory, which no container holds."""
    return MULTIPLICITY[region.stage, region.kind, region.per]


def fork_point(subject: Subject, choice: Choice) -> ForkPoint:
    """Where the workers part under ``choice``; one process that forks nothing is ``never``."""
    if choice.preload and subject.facts.preload_fork_point:
        return subject.facts.preload_fork_point
    return subject.facts.fork_point


def has_master(subject: Subject, choice: Choice) -> bool:
    """A process beside the workers. A spawning supervisor exists only when there is more than one worker.

    Programs without an app of the project are packaged whole, masters and all; so is Ray's head.
    """
    if not subject.facts.has_master or subject.facts.role not in ("app", "worker"):
        return False
    return choice.workers > 1 or subject.reload or subject.facts.role != "app" or subject.facts.fork_point != "never"
