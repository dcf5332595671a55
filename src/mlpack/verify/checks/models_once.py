"""Are models in memory once where the plan shares them (preload)? Told by each worker's proportional share (PSS)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlpack.errors import MlpackError
from mlpack.meter.snapshot import ProcessReading, snapshot
from mlpack.plan import Plan
from mlpack.units import show_mib
from mlpack.verify.run import Answer, Run
from mlpack.verify.seeing import ContainerEyes, HostEyes, eyes_for
from mlpack.verify.workers import worker_pids

NAME = "models_once"
NEEDS = ("answers",)
LEAST_SHARE = 0.5
"""Of what exists before the fork must still be shared by every worker after the load. Reference counts and
collectors write to small objects and unshare their pages; tensors stay."""


def applies(plan: Plan) -> bool:
    """Some service forks after its models are loaded, into more than one worker."""
    return any(one.fork_point == "after-load" and one.workers.value > 1 for one in plan.services.values())


def check(run: Run) -> Answer:
    """Compare what the workers share with what was loaded before they were forked."""
    evidence: list[str] = []
    wrong: list[str] = []
    unproven: list[str] = []
    for instance in run.instances:
        service = run.service(instance)
        if service.fork_point != "after-load" or service.workers.value < 2:
            continue
        footprint = run.lock.footprints.get(instance.service)
        eyes = eyes_for(instance, run.environ)
        if footprint is None or eyes is None:
            unproven.append(f"{instance.name}: nothing says what is loaded before the fork")
            continue
        wanted = footprint.sum_bytes("anonymous", "import", "load")
        pids = worker_pids(service.server, service.workers.value, eyes.processes(), eyes.root)
        shared = shared_bytes([reading for reading in _readings(eyes, pids) if reading.pid in pids])
        if shared is None:
            unproven.append(f"{instance.name}: this kernel does not tell shared anonymous memory (before Linux 5.4)")
            continue
        line = (
            f"{instance.name}: each worker shares {show_mib(shared)} of the {show_mib(wanted)} loaded before the fork"
        )
        (evidence if shared >= LEAST_SHARE * wanted else wrong).append(line)
    if wrong:
        hint = "the app loads its models again in every worker: load them when the module is imported, not at start-up"
        return Answer("failed", wrong[0], (*wrong[1:], *evidence), hint, kind="loaded-twice")
    if unproven:
        return Answer("not_proven", unproven[0], (*unproven[1:], *evidence))
    return Answer("passed", "models are in memory once", tuple(evidence))


def shared_bytes(workers: Sequence[ProcessReading]) -> int | None:
    """Anonymous bytes that the worker with the least of them shares with its siblings; None where that is not told.

    A page shared by the master and n workers counts 1/(n+1) in each one's PSS: of S shared bytes a worker's PSS lacks
    S n/(n+1). Pure.
    """
    shares = []
    for reading in workers:
        if reading.pss_anonymous_bytes is None:
            return None
        lacking = reading.anonymous_bytes - reading.pss_anonymous_bytes
        shares.append(round(lacking * (len(workers) + 1) / len(workers)))
    return min(shares, default=None)


def _readings(eyes: HostEyes | ContainerEyes, pids: Sequence[int]) -> list[ProcessReading]:
    if isinstance(eyes, HostEyes):
        return snapshot(Path("/proc"), pids)
    try:
        return eyes.readings()
    except MlpackError:
        return []
