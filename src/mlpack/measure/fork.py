"""Proves that a service may be preloaded: two processes forked after the load must each answer, or it is "no"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpack.errors import MlpackError
from mlpack.measure.subject import Deadlines
from mlpack.measure.watch import identity, mapped_of
from mlpack.measure.worker import Place, Worker
from mlpack.meter.snapshot import snapshot
from mlpack.meter.sources import tree
from mlpack.meter.totals import anonymous_bytes, by_file

CHILDREN = 2


@dataclass(frozen=True)
class ForkProof:
    """Whether every forked process answered, and if not, why. ``each_bytes``: anonymous memory that one more of them
    adds after its answers, what it keeps from serving included. ``libraries_bytes``: pages of libraries that they map,
    each once; a process begins without its parent's, so that all of these are pages that its answers needed."""

    answered: bool
    why: str
    each_bytes: int = 0
    libraries_bytes: int = 0


def prove(place: Place, task: Mapping[str, Any], deadlines: Deadlines, weights: Iterable[Path] = ()) -> ForkProof:
    """Load as a preloading master does (the app's import; no request, which would spoil it), fork ``CHILDREN``
    processes and ask each. A hang, a crash or a wrong answer is a proof against, never an error. ``weights``: the
    models' files, which are no libraries."""
    proc = Path("/proc")
    within_s = deadlines.request_s
    task = {**task, "fork": CHILDREN, "fork_deadline_s": within_s}
    with Worker(place, task) as worker:
        try:
            for name in ("interpreter", "libraries", "app"):
                worker.stage(name, deadlines.load_s)
                worker.go()
            message = worker.stage("forked", deadlines.load_s + within_s)
        except MlpackError as error:
            return ForkProof(False, error.what)
        hung = sum(answer == "" for answer in message["answers"])
        if hung:
            return ForkProof(False, f"{hung} of {CHILDREN} forked processes did not answer within {within_s:g} s")
        wrong = [answer for answer in message["answers"] if answer != "ok"]
        if wrong:
            return ForkProof(False, f"a forked process failed: {wrong[0]}")
        processes = snapshot(proc, tree(proc, worker.pid))
        master = next(p for p in processes if p.pid == worker.pid)
        each = max(0, anonymous_bytes(processes) - master.anonymous_bytes) // CHILDREN
        forked = [p for p in processes if p.pid != worker.pid]
        libraries = sum(by_file(forked, shm=False).values()) - mapped_of(forked, frozenset(map(identity, weights)))
        return ForkProof(True, "", each, libraries)
