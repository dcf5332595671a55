"""Leads one worker through its life and looks at it at every stop; the readings that all else is worked out from."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from mlpack.errors import MlpackError
from mlpack.measure.errors import AppError
from mlpack.measure.growth import FOR_S, MIXED_S, Series, goes_on, growth, longer, series, suspicious
from mlpack.measure.result import FRESH, CardReading, StageName, StageReading
from mlpack.measure.shares import Opening
from mlpack.measure.subject import ROUNDS, Deadlines, Subject
from mlpack.measure.watch import Watch
from mlpack.measure.worker import Place, Worker
from mlpack.meter.cache import code_files, evict
from mlpack.meter.card_bytes import card_bytes
from mlpack.meter.cgroup import CgroupDirs, read_counters
from mlpack.meter.opens import Opens
from mlpack.units import show_bytes, show_duration

PROC = Path("/proc")
START_S = 60.0
"""A bare Python may take this long to start on a busy machine; it is not the app's time."""
TOUCHED = (
    "library pages count as soon as they were touched once, too much by 20-250 MiB: /proc/PID/clear_refs, which would "
    "tell those in use, cannot be written here"
)
WEIGHTS_SHARE = 0.1
"""A model's weights are its largest file and every other of at least a tenth of that; the rest is configuration."""


@dataclass
class Lived:
    """All that was seen. ``facts``: what the child told. ``growth``: bytes kept of each request; None: not looked."""

    readings: dict[StageName, StageReading] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    openings: list[Opening] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    growth: float | None = None
    notes: list[str] = field(default_factory=list)

    def met(self, over_loaded_bytes: int) -> None:
        """Requests at once were seen to go so high over the loaded state elsewhere (``crowd``)."""
        before, loaded = self.readings["together"], self.readings["startup"].anonymous_bytes
        peak = max(before.anonymous_peak_bytes, loaded + over_loaded_bytes)
        self.readings["together"] = before.model_copy(update={"anonymous_peak_bytes": peak})


def live(
    subject: Subject,
    place: Place,
    task: Mapping[str, Any],
    *,
    deadlines: Deadlines,
    progress: Callable[[str], None],
) -> Lived:
    """A worker's whole life in ``place``. Raises AppError."""
    lived = Lived()
    models = dict(subject.models) or ({"": subject.model_files} if subject.model_files else {})
    weights = {name: heaviest(files) for name, files in models.items()}
    lived.sizes = {name: sum(file.stat().st_size for file in files) for name, files in weights.items() if name}
    names: Sequence[StageName] = get_args(StageName)
    began_s, warm_bytes = time.monotonic(), None
    progress(names[0])
    with ExitStack() as stack:
        worker = stack.enter_context(Worker(place, task))
        dirs = place.counters()
        watch = stack.enter_context(Watch(PROC, worker.pid, models, dirs))
        try:
            for name in names:
                if name != names[0]:
                    progress(name)
                within_s = deadlines.load_s if name in names[:4] else deadlines.request_s
                within_s = max(within_s, START_S) if name == "interpreter" else within_s
                message = worker.stage(name, within_s * (ROUNDS if name == "together" else 1))
                spent_s = time.monotonic() - began_s if name == "interpreter" else message["seconds"]
                reading = watch.stop(name, spent_s, fresh=name in FRESH)
                lived.readings[name] = _with_card(reading, message.get("card"), watch)
                lived.facts |= message
                lived.openings += [Opening(model, name, held, at_s) for model, held, at_s in message["opened"]]
                if name == "interpreter":
                    _make_cold(subject, place, message["folders"], lived)
                    stack.enter_context(_openings(weights, watch, lived))
                if name == "first" and dirs:
                    warm_bytes = read_counters(dirs).refault_bytes
                if name == "idle" and dirs and warm_bytes is not None:
                    lived.facts["refault_bytes"] = (read_counters(dirs).refault_bytes or 0) - warm_bytes
                if message.get("absent"):
                    absent = ", ".join(message["absent"])
                    lived.notes.append(f"not importable by {place.python}, so not counted: {absent}")
                if name != names[-1]:
                    worker.go()
            if lived.readings["idle"].libraries_in_use_bytes is None:
                lived.notes.append(TOUCHED)
            progress("growth")
            mixed = bool(task["shorter"]) and _mixed(worker, len(task["shorter"]), deadlines)
            _grow(worker, watch, lived, task["concurrency"], deadlines, mixed=mixed)
        except AppError as error:
            raise _explained(error, watch, dirs) from error
    return lived


def _with_card(reading: StageReading, told: Mapping[str, int] | None, watch: Watch) -> StageReading:
    """``reading`` with what NVML, and the framework in the child (``told``), say of cards."""
    if reading.name in ("interpreter", "libraries", "app"):
        return reading
    whole = card_bytes(watch.pids)
    if whole is None and told is None:
        return reading
    counters = {f"{key}_bytes": value for key, value in (told or {}).items()}
    return reading.model_copy(update={"card": CardReading(process_bytes=whole, **counters)})


def heaviest(files: Sequence[Path]) -> tuple[Path, ...]:
    """The files of a model that are its weights, by size."""
    sizes = {file: file.stat().st_size for file in files}
    least = WEIGHTS_SHARE * max(sizes.values(), default=0)
    return tuple(file for file, size in sizes.items() if size >= least)


def _make_cold(subject: Subject, place: Place, folders: Sequence[str], lived: Lived) -> None:
    """Weights and libraries leave the page cache, or a note says that they did not."""
    reached = [place.seen_from_here(folder) for folder in folders]
    if not all(os.access(folder, os.R_OK | os.X_OK) for folder in reached):
        lived.notes.append("cache warm, load time is not proven: the libraries' files cannot be reached (not root)")
    libraries = code_files(reached)
    evicted = evict([*subject.model_files, *libraries])
    if not evicted.cold:
        lived.notes.append(f"cache warm, load time and refaults are not proven: {evicted.because()}")


def _openings(weights: Mapping[str, Sequence[Path]], watch: Watch, lived: Lived) -> Opens:
    """Notes in ``lived`` what the worker held when a model's file was opened, by whatever code."""
    named = {name: files for name, files in weights.items() if name}
    names: Sequence[StageName] = get_args(StageName)

    def seen(model: str) -> None:
        at_s, held = time.monotonic(), watch.rough_bytes()
        if held is not None:  # the stage under way is the one after the last reading
            stage = names[min(len(lived.readings), len(names) - 1)]
            lived.openings.append(Opening(model, stage, held, at_s, exact=False))

    return Opens(named, seen)


def _mixed(worker: Worker, count: int, deadlines: Deadlines) -> bool:
    """From now on shorter requests take turns with the largest, where the app answers them; whether there are any."""
    worker.go("shorter")
    return bool(worker.stage("growth", deadlines.request_s * count)["also"])


def _grow(worker: Worker, watch: Watch, lived: Lived, concurrency: int, deadlines: Deadlines, *, mixed: bool) -> None:
    """Send more requests and see what is kept of each; ``mixed``: they are of several lengths."""
    round_s = lived.readings["together"].seconds / ROUNDS
    plan = series(round_s, MIXED_S if mixed else FOR_S)
    if plan is None:
        lived.notes.append(
            f"growth was not looked for: {concurrency} requests at once take {show_duration(round_s)}, too long for "
            "the dozen rounds that it takes"
        )
        return

    def readings(made: Series) -> list[int]:
        found = []
        for _ in range(made.spans):
            worker.go(f"rounds {made.rounds}")
            worker.stage("growth", deadlines.request_s * made.rounds)
            found.append(watch.anonymous_bytes())
        return found

    first, more = readings(plan), longer(plan, round_s, concurrency)
    lived.growth = growth(first, readings(plan), plan.rounds * concurrency) if suspicious(first) else 0.0
    if lived.growth:
        lived.growth = goes_on(lived.growth, readings(more), more.rounds * concurrency)
    after = watch.stop("together", lived.readings["together"].seconds, fresh=False)
    if after.libraries_in_use_bytes is not None:  # a page that only every tenth request touches is in use, too
        used = {"libraries_in_use_bytes": after.libraries_in_use_bytes}
        lived.readings["idle"] = lived.readings["idle"].model_copy(update=used)
    if lived.growth:
        requests = (2 * plan.rounds + more.rounds) * plan.spans * concurrency
        lived.notes.append(
            f"every request leaves {show_bytes(round(lived.growth))} behind ({requests} more of the same): a "
            "leak, or a cache without a bound"
        )
    else:  # more rounds may have met in a higher peak than the first few
        before = lived.readings["together"]
        peak = max(before.anonymous_peak_bytes, after.anonymous_peak_bytes)
        lived.readings["together"] = before.model_copy(update={"anonymous_peak_bytes": peak})


def _explained(error: AppError, watch: Watch, dirs: CgroupDirs | None) -> AppError:
    """A killed worker's error with what it held, and what the kernel's count says."""
    if not error.killed:
        return error
    held = f"; it held {show_bytes(watch.highest_bytes)} of anonymous memory when last seen"
    with suppress(MlpackError):  # the group of a container goes with it
        if dirs and read_counters(dirs).oom_kills:
            held += ", and the kernel counted it as out of memory"
    return AppError(error.what + held, where=error.where, hint=error.hint, killed=True)
