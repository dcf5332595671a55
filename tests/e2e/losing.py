"""Whether a system of queue and workers loses tasks: processes that run one are killed, its broker restarts."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mlpack.launchers.container import Container
from mlpack.plan import Plan
from mlpack.process import run
from mlpack.verify.checks.memory import band, held_bytes
from mlpack.verify.seeing import HostEyes
from mlpack.verify.watch import Watch, begin

ENDED = ("done", "failed")
LOOK_S = 0.3


@dataclass(frozen=True)
class Row:
    """A task as the system itself has it."""

    state: str
    result: Any
    reason: str
    attempts: int
    pid: int | None
    """Of the process that runs it, as its container numbers it."""


class System(Protocol):
    """What is tried."""

    def send(self, number: int) -> str:
        """Queue task ``number``; its id."""

    def rows(self) -> Mapping[str, Row]:
        """Every task by its id; empty while nobody can be asked."""

    def right(self, number: int, row: Row) -> bool:
        """Whether ``row`` is what task ``number`` must give."""

    def worker(self) -> str:
        """The worker's container."""


def trial(
    system: System,
    *,
    tasks: int,
    kills: int,
    seed: int,
    patience_s: float,
    events: Mapping[str, tuple[float, Callable[[], object]]],
    most_open: int = 300,
    at_a_look: int = 300,
) -> dict[str, Any]:
    """Queue ``tasks``, kill ``kills`` processes that run one, and say how every task ended.

    ``events``: by name, a share of the tasks and what happens once so many have ended. ``patience_s``: without a task
    that ends, nothing is coming any more: above the redelivery time. ``most_open``: tasks queued at once at most.
    ``at_a_look``: tasks sent between two looks at most: where sending is slow, nobody would be killed meanwhile.
    Kills are spread by how many tasks have ended, not by time. ``struck``: of the kills, those that ended a run.
    """
    draw, numbers, began = random.Random(seed), dict[str, int](), time.monotonic()
    ended, happened, killed, moved = dict[str, Row](), list[str](), 0, time.monotonic()
    aimed = list[tuple[str, int]]()
    while len(ended) < tasks and time.monotonic() - moved < patience_s:
        for _ in range(min(at_a_look, tasks - len(numbers), most_open - len(numbers) + len(ended))):
            numbers[system.send(len(numbers))] = len(numbers)
        running = []
        for task, row in system.rows().items():
            if task in numbers and task not in ended and row.state in ENDED:
                ended[task], moved = row, time.monotonic()
            elif task in numbers and row.state == "running" and row.pid:
                running.append((task, row))
        if running and killed < kills and len(ended) >= (killed + 1) * tasks * 0.8 / kills - 3:
            task, row = draw.choice(running)
            if row.pid and kill(system.worker(), row.pid):
                killed += 1
                aimed.append((task, row.attempts))
        for name, (share, act) in events.items():
            if name not in happened and len(ended) >= share * tasks:
                act()
                happened.append(name)
        time.sleep(LOOK_S)
    took_s = time.monotonic() - began
    mistaken = [
        vars(row) for task, row in ended.items() if row.state == "done" and not system.right(numbers[task], row)
    ]
    time.sleep(3)  # a second run of a task would end now, and must not change anything
    last = system.rows()
    wrong = [
        [vars(row), vars(last[task]) if task in last else None]
        for task, row in ended.items()
        if task not in last
        or (last[task].state, last[task].result, last[task].reason) != (row.state, row.result, row.reason)
        or (row.state == "failed" and not row.reason)
    ]
    return {
        "seed": seed,
        "tasks": tasks,
        "took_s": round(took_s),
        "lost": tasks - len(ended),
        "states": dict(Counter(row.state for row in ended.values())),
        "reasons": dict(Counter(row.reason for row in ended.values() if row.reason)),
        "kills": killed,
        "struck": sum(task in ended and ended[task].attempts > attempts for task, attempts in aimed),
        "happened": happened,
        "ran_again": sum(row.attempts > 1 for row in ended.values()),
        "ended_otherwise": len(wrong),
        "otherwise": wrong[:5],
        "wrong_results": len(mistaken),
        "wrong": mistaken[:5],
    }


def kill(container: str, pid: int) -> bool:
    """SIGKILL, from outside, to the process that ``container`` numbers ``pid``; whether it lived."""
    for here, inside in members(container):
        if inside == pid:
            with suppress(ProcessLookupError):
                os.kill(here, signal.SIGKILL)
                return True
    return False


def kill_program(container: str) -> None:
    """SIGKILL to the container's program, the first child of its init: as a crash would end it."""
    own = sorted((inside, here) for here, inside in members(container) if inside != 1)
    os.kill(own[0][1], signal.SIGKILL)


def members(container: str) -> Iterator[tuple[int, int]]:
    """The processes of ``container``: as this machine numbers each, and as the container does."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if container not in (folder / "cgroup").read_text():
                continue
            status = (folder / "status").read_text()
        except OSError:
            continue
        (line,) = (line for line in status.splitlines() if line.startswith("NSpid:"))
        yield int(folder.name), int(line.split()[-1])


@contextmanager
def watched(plan: Plan, folder: Path, containers: Mapping[str, str]) -> Iterator[dict[str, Watch]]:
    """verify's own meter over every container (service -> full id) while it is entered. A container that restarts
    keeps its group's path."""
    watches = {}
    for name, ident in containers.items():
        pid = int(run(["docker", "inspect", "--format", "{{.State.Pid}}", ident]).stdout)
        watches[name] = begin(Container(ident, os.environ, plan, folder), HostEyes(pid))
    try:
        yield watches
    finally:
        for watch in watches.values():
            watch.sampler.__exit__()


def memory_table(plan: Plan, watches: Mapping[str, Watch], requests: int) -> dict[str, dict[str, Any]]:
    """Per service: limit, prediction, highest need (MiB), whether that is in verify's band, kills for memory."""
    found = {}
    for name, watch in watches.items():
        service = plan.services[name]
        measured = watch.measurement(service, requests)
        low, high, words = band(service)
        found[name] = {
            "limit_mib": round(measured.limit_bytes / 2**20),
            "predicted_mib": round(measured.predicted_bytes / 2**20),
            "peak_mib": round(measured.peak_need_bytes / 2**20, 1),
            "of_prediction": round(measured.peak_need_bytes / measured.predicted_bytes, 2),
            "band": words,
            "in_band": low <= measured.peak_need_bytes and held_bytes(measured, service) <= high,
            "oom_kills": measured.oom_kills,
            "prediction": service.footprint_source,
        }
    return found
