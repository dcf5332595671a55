"""Measures one worker of a service: a child process lives a worker's life, and stands still to be looked at."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import get_args

from mlpack.errors import MlpackError
from mlpack.footprint import Footprint
from mlpack.measure.card_regions import UNTOLD, card_regions
from mlpack.measure.crowd import highest_bytes
from mlpack.measure.errors import AppError
from mlpack.measure.fork import ForkProof, prove
from mlpack.measure.live import Lived, live
from mlpack.measure.regions import loaded_at, regions
from mlpack.measure.result import MeasureResult, StageName
from mlpack.measure.shares import shares
from mlpack.measure.subject import DEADLINES, Deadlines, Subject, child_task
from mlpack.measure.worker import HostPlace, Place
from mlpack.meter.cgroup import CgroupDirs
from mlpack.meter.cgroup_own import own_cgroup

PROC = Path("/proc")
FORKED_AT_LEAST_S, FORKED_TIMES = 30.0, 20.0
"""Forked processes that have not answered (``forked.FORKED_ANSWERS`` times) within 30 s and 20 times a lone request
hang."""
MakePlace = Callable[[], AbstractContextManager[tuple[Place, str]]]
"""Makes a fresh place for one process, and says why its kernel memory and refaults are not counted (or "")."""


def measure(
    subject: Subject,
    *,
    concurrency: int = 1,
    threads: int | None = None,
    inputs_sha256: str | None = None,
    prove_fork: bool = False,
    deadlines: Deadlines = DEADLINES,
    progress: Callable[[str], None] = lambda _: None,
    place: MakePlace | None = None,
) -> MeasureResult:
    """Run one worker of ``subject`` with ``concurrency`` requests at once; ``threads``: what ``env`` sets, for the
    record. ``progress`` is told each stage as it begins. ``prove_fork`` forks two more after the load. ``place``: where
    it runs, by default a child process of this one in ``subject``'s Python.

    Raises AppError: the app cannot be imported, fails, hangs, answers wrongly or is killed; MlpackError: this system
    has no /proc, or no such Python. Nothing is left running.
    """
    if not (PROC / "self" / "smaps").exists():
        raise MlpackError(
            "memory is measured through /proc/PID/smaps, which this system does not have",
            hint="measure on Linux, or inside a container",
        )
    made = place or _host(subject)
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="mlpack-measure-") as folder:
        task = child_task(subject, Path(folder) if place is None else None, concurrency)
        with made() as (where, uncounted):
            if uncounted:
                notes.append(f"kernel memory is a lower bound and refaults are not counted: {uncounted}")
            lived = live(subject, where, task, deadlines=deadlines, progress=progress)
        if concurrency > 1:
            progress("crowd")
            try:
                lived.met(highest_bytes(made, task, deadlines))
            except AppError as error:  # all else was measured: a warning is worth more than nothing
                lived.notes.append(
                    f"a fresh worker failed as its first {concurrency} requests came together, so their memory does "
                    f"not count, and a restart under load may fail as well: {error.what}"
                )
        proof = None
        if prove_fork and loaded_at(lived.readings) == "import":
            progress("forked")
            answer_s = min(deadlines.request_s, FORKED_AT_LEAST_S + FORKED_TIMES * lived.readings["alone"].seconds)
            with made() as (where, _):
                files = [file for model in subject.models.values() for file in model] or subject.model_files
                proof = prove(where, task, replace(deadlines, request_s=answer_s), files)
    result = _result(subject, lived, proof, concurrency)
    footprint = result.footprint.model_copy(update={"threads": threads, "inputs_sha256": inputs_sha256})
    return result.model_copy(update={"footprint": footprint, "notes": (*notes, *lived.notes, *result.notes)})


def _result(subject: Subject, lived: Lived, proof: ForkProof | None, concurrency: int) -> MeasureResult:
    """The result as far as readings and proof tell it."""
    readings = lived.readings
    where = loaded_at(readings)
    parts = shares(readings, lived.openings, lived.sizes)
    cards = {name: reading.card for name, reading in readings.items() if reading.card is not None}
    forked = proof.libraries_bytes if proof is not None else 0
    found = (*regions(readings, concurrency, parts, forked), *card_regions(cards, concurrency))
    untold = bool(cards) and all(card.process_bytes is None for card in cards.values())
    unshared, refused = None, None
    if where == "startup":
        refused = "the app loads its models at start-up, after the fork: preloading would share the libraries only"
    if proof is not None and proof.answered:
        kept = sum(r.bytes for r in found if (r.stage, r.kind, r.per) == ("serve", "anonymous", "process"))
        unshared = max(0, proof.each_bytes - kept)  # what serving keeps in any case is counted already
    elif proof is not None:
        refused = f"it was tried: {proof.why}"
    footprint = Footprint(
        service=subject.service,
        source="measured",
        regions=found,
        fork_proven=unshared is not None,
        fork_refused=refused,
        unshared_bytes=unshared,
        concurrency=concurrency,
        load_s=round(sum(readings[name].seconds for name in get_args(StageName)[:5]), 3),
        request_s=round(readings["alone"].seconds, 4),
        growth_bytes_per_request=lived.growth,
        refault_bytes=lived.facts.get("refault_bytes"),
        rss_peak_bytes=max(reading.rss_peak_bytes for reading in readings.values()),
    )
    return MeasureResult(
        footprint=footprint,
        stages=tuple(readings.values()),
        interface=lived.facts["interface"],
        loaded_at=where,
        python=lived.facts["python"],
        notes=(*parts.notes, *((UNTOLD,) if untold else ())),
    )


def _host(subject: Subject) -> MakePlace:
    """A process here, in a control group of its own where that is possible."""

    @contextmanager
    def make() -> Iterator[tuple[Place, str]]:
        name = f"mlpack-measure-{os.getpid()}-{time.monotonic_ns()}"
        with own_cgroup(PROC, name) as (dirs, why):
            yield _place(subject, dirs), why

    return make


def _place(subject: Subject, dirs: CgroupDirs | None) -> Place:
    return HostPlace(subject.python, subject.root, subject.env, dirs)
