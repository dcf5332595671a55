"""Measures one worker of a service: a child process lives a worker's life, and stands still to be looked at."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from mlpack.errors import MlpackError
from mlpack.footprint import Footprint
from mlpack.measure.errors import AppError
from mlpack.measure.fork import ForkProof, prove
from mlpack.measure.regions import loaded_at, regions
from mlpack.measure.result import MeasureResult, StageName, StageReading
from mlpack.measure.subject import DEADLINES, ROUNDS, Deadlines, Subject, child_task
from mlpack.measure.watch import Watch
from mlpack.measure.worker import Worker
from mlpack.meter.cache import code_files, evict
from mlpack.meter.cgroup import CgroupDirs, read_counters
from mlpack.meter.cgroup_own import own_cgroup

PROC = Path("/proc")
FORKED_AT_LEAST_S, FORKED_TIMES = 30.0, 20.0
"""A forked process that has not answered within 30 s and 20 times a lone request hangs."""
START_S = 60.0
"""A bare Python may take this long to start on a busy machine; it is not the app's time."""


def measure(
    subject: Subject,
    *,
    concurrency: int = 1,
    threads: int | None = None,
    inputs_sha256: str | None = None,
    prove_fork: bool = False,
    deadlines: Deadlines = DEADLINES,
    progress: Callable[[str], None] = lambda _: None,
) -> MeasureResult:
    """Run one worker of ``subject`` with ``concurrency`` requests at once; ``threads``: what ``env`` sets, for the
    record. ``progress`` is told each stage as it begins. ``prove_fork`` forks two more after the load.

    Raises AppError: the app cannot be imported, fails, hangs, answers wrongly or is killed; MlpackError: this system
    has no /proc, or no such Python. Nothing is left running.
    """
    if not (PROC / "self" / "smaps").exists():
        raise MlpackError(
            "memory is measured through /proc/PID/smaps, which this system does not have",
            hint="measure on Linux, or inside a container",
        )
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="mlpack-measure-") as folder, _group() as (dirs, why):
        task = child_task(subject, Path(folder), concurrency)
        if dirs is None:
            notes.append(f"kernel memory is a lower bound and refaults are not counted: {why}")
        readings, facts = _serve(subject, task, dirs, deadlines=deadlines, notes=notes, progress=progress)
        proof = None
        if prove_fork and loaded_at(readings) == "import":
            progress("forked")
            answer_s = min(deadlines.request_s, FORKED_AT_LEAST_S + FORKED_TIMES * readings["alone"].seconds)
            proof = prove(subject, task, replace(deadlines, request_s=answer_s))
    result = _result(subject.service, readings, facts, proof, concurrency)
    footprint = result.footprint.model_copy(update={"threads": threads, "inputs_sha256": inputs_sha256})
    update = {"footprint": footprint, "notes": (*notes, *result.notes)}
    return result.model_copy(update=update)


def _serve(
    subject: Subject,
    task: dict[str, Any],
    dirs: CgroupDirs | None,
    *,
    deadlines: Deadlines,
    notes: list[str],
    progress: Callable[[str], None],
) -> tuple[dict[StageName, StageReading], dict[str, Any]]:
    """Every stage's reading, and what the child told on the way."""
    readings: dict[StageName, StageReading] = {}
    facts: dict[str, Any] = {}
    names: Sequence[StageName] = get_args(StageName)
    began_s, warm_bytes = time.monotonic(), None
    try:
        with (
            Worker(subject.python, subject.root, subject.env, task, dirs) as worker,
            Watch(PROC, worker.pid, subject.model_files, dirs) as watch,
        ):
            for name in names:
                progress(name)
                within_s = deadlines.load_s if name in names[:4] else deadlines.request_s
                within_s = max(within_s, START_S) if name == "interpreter" else within_s
                message = worker.stage(name, within_s * (ROUNDS if name == "together" else 1))
                spent_s = time.monotonic() - began_s if name == "interpreter" else message["seconds"]
                readings[name] = watch.stop(name, spent_s)
                facts |= message
                if name == "first" and dirs:
                    warm_bytes = read_counters(dirs).refault_bytes
                if name == "idle" and dirs and warm_bytes is not None:
                    facts["refault_bytes"] = (read_counters(dirs).refault_bytes or 0) - warm_bytes
                if message.get("absent"):
                    absent = ", ".join(message["absent"])
                    notes.append(f"not importable by {subject.python}, so not counted: {absent}")
                if name == "interpreter":
                    folders = [Path(folder) for folder in message["folders"]]
                    evicted = evict([*subject.model_files, *code_files(folders)])
                    if not evicted.cold:
                        notes.append(f"cache warm, load time and refaults are not proven: {evicted.because()}")
                worker.go()
    except AppError as error:
        if error.killed and dirs and read_counters(dirs).oom_kills:
            raise AppError(f"{error.what}: the kernel counted it as out of memory", hint=error.hint) from error
        raise
    return readings, facts


def _result(
    service: str,
    readings: dict[StageName, StageReading],
    facts: dict[str, Any],
    proof: ForkProof | None,
    concurrency: int,
) -> MeasureResult:
    """The result as far as readings and proof tell it."""
    where = loaded_at(readings)
    found = regions(readings, concurrency)
    unshared, refused = None, None
    if where == "startup":
        refused = "the app loads its models at start-up, after the fork: preloading would share the libraries only"
    if proof is not None and proof.answered:
        warm = sum(r.bytes for r in found if r.name == "warm state")
        unshared = max(0, proof.each_bytes - warm)  # what serving keeps in any case is counted already
    elif proof is not None:
        refused = f"it was tried: {proof.why}"
    footprint = Footprint(
        service=service,
        source="measured",
        regions=found,
        fork_proven=unshared is not None,
        fork_refused=refused,
        unshared_bytes=unshared,
        concurrency=concurrency,
        load_s=round(sum(readings[name].seconds for name in get_args(StageName)[:5]), 3),
        request_s=round(readings["alone"].seconds, 4),
        rss_peak_bytes=max(reading.rss_peak_bytes for reading in readings.values()),
    )
    return MeasureResult(
        footprint=footprint,
        stages=tuple(readings.values()),
        interface=facts["interface"],
        loaded_at=where,
        python=facts["python"],
        refault_bytes=facts.get("refault_bytes"),
        notes=() if refused is None else (f"no preload: {refused}",),
    )


def _group() -> Any:
    """A control group for this one measurement, where that is possible."""
    return own_cgroup(PROC, f"mlpack-measure-{os.getpid()}-{time.monotonic_ns()}")
