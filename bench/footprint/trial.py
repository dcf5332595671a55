"""One trial: the row's container under one limit, cold, loaded as always. Passed means refault-free; see ``judge``."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.footprint import asking
from bench.footprint.asking import Answers, Ask
from bench.footprint.engine import IMAGE, cold, container, docker
from bench.footprint.inputs import order
from bench.footprint.project import Planned, rendered
from bench.footprint.rows import SERVED, Row

from mlpack.errors import MlpackError
from mlpack.meter.cgroup import CgroupDirs, pids_of, read_counters
from mlpack.meter.cgroup_find import find_cgroup
from mlpack.meter.snapshot import snapshot
from mlpack.meter.totals import totals

PROC = Path("/proc")
REFAULT_SHARE, SLOWER = 0.01, 2.0
"""Refaults per request over mapped bytes, and p95 over the unlimited container's, beyond which a trial has failed."""
STEADY_S, LEAST_REQUESTS = 5.0, 20
FIRST_START_S = 180.0
LONGER = 3


@dataclass(frozen=True)
class Trial:
    """What one container did. Bytes and seconds; ``why``: empty where nothing went wrong by itself."""

    limit_bytes: int | None
    why: str
    start_s: float = 0.0
    requests: int = 0
    p95_s: float = 0.0
    """Wall clock over ``waited``."""
    waited: float = 1.0
    """CPU time and waiting for a core, over CPU time: what other work on this machine makes of a second."""
    refault_per_request_bytes: float = 0.0
    mapped_bytes: int = 0
    anonymous_bytes: int = 0
    kernel_bytes: int = 0
    peak_usage_bytes: int = 0
    cold: bool = True


@dataclass(frozen=True)
class Unlimited:
    """The row without a limit: what every other trial is held against."""

    trial: Trial
    answers: Answers
    requests: int


def judge(trial: Trial, base: Trial) -> str:
    """Why ``trial`` is below the refault-free boundary; empty where it is not."""
    if trial.why:
        return trial.why
    if trial.refault_per_request_bytes > REFAULT_SHARE * base.mapped_bytes:
        share = trial.refault_per_request_bytes / base.mapped_bytes
        return f"refaults of {100 * share:.1f} % of mapped per request"
    if trial.p95_s > SLOWER * base.p95_s:
        return f"p95 {trial.p95_s:.3f} s, {trial.p95_s / base.p95_s:.1f} x the unlimited one's"
    return ""


def unlimited(row: Row, found: Planned, project: Path, steady_s: float = STEADY_S) -> Unlimited:
    """The row's container without a limit: tells what right answers are, and how many requests a trial sends."""
    answers: Answers = {}
    asked = order(SERVED[row.model])
    cold(project, SERVED[row.model].python)  # so that its peak holds every page that it reads
    with _running(row, found, project, None) as (name, ask):
        start_s, why = _started(row, name, FIRST_START_S)
        if why:
            raise RuntimeError(f"{row.name} does not start without a limit: {why}\n{_logs(name)}")
        first = ask(max(len(asked), 2 * row.clients), row.clients, {}, 120, 120)
        answers |= first.answers
        began_s = time.monotonic()
        probe = ask(3 * row.clients, row.clients, answers, 120, 120)
        each_s = (time.monotonic() - began_s) / (3 * row.clients)
        count = max(LEAST_REQUESTS, len(asked), round(steady_s / each_s))
        trial = _steady(row, name, ask, count, answers=answers, start_s=start_s, limit_bytes=None)
        if first.wrong or probe.wrong or trial.why:
            raise RuntimeError(f"{row.name} without a limit: {first.wrong or probe.wrong or trial.why}\n{_logs(name)}")
    return Unlimited(trial, answers, count)


def limited(row: Row, found: Planned, project: Path, base: Unlimited, limit_bytes: int, *, starts: int = 1) -> Trial:
    """The same under ``limit_bytes``, started ``starts`` times, each with its first requests; the last is loaded.

    Several starts are to show that the limit holds: then three times as long, so that workers' peaks meet as well.
    """
    requests = base.requests * (LONGER if starts > 1 else 1)
    for _ in range(starts - 1):
        short = _once(row, found, project, base, limit_bytes, requests=0)
        if short.why:
            return short
    return _once(row, found, project, base, limit_bytes, requests=requests)


def _once(row: Row, found: Planned, project: Path, base: Unlimited, limit_bytes: int, *, requests: int) -> Trial:
    is_cold = cold(project, SERVED[row.model].python)
    with _running(row, found, project, limit_bytes) as (name, ask):
        start_s, why = _started(row, name, 2 * base.trial.start_s + 10)
        if why:
            return Trial(limit_bytes, why, cold=is_cold)
        request_s = 30 * base.trial.p95_s + 5
        warm = ask(4 * row.clients, row.clients, base.answers, 2 * request_s, request_s)
        if warm.wrong:
            return Trial(limit_bytes, f"warm-up: {_ended(row, name) or warm.wrong[0]}", start_s, cold=is_cold)
        if not requests:
            return Trial(limit_bytes, _ended(row, name), start_s, cold=is_cold)
        most_s = 30 + 2 * SLOWER * base.trial.p95_s * requests / row.clients  # by then p95 has failed anyway
        trial = _steady(
            row,
            name,
            ask,
            requests,
            answers=base.answers,
            start_s=start_s,
            limit_bytes=limit_bytes,
            within_s=most_s,
        )
        return Trial(**{**asdict(trial), "cold": is_cold})


def _steady(
    row: Row,
    name: str,
    ask: Ask,
    count: int,
    *,
    answers: Answers,
    start_s: float,
    limit_bytes: int | None,
    within_s: float = 150,
) -> Trial:
    dirs = _dirs(name)
    before, ran = read_counters(dirs), _ran(dirs)
    asked = ask(count, row.clients, answers, within_s, 60)
    after, now_ran = read_counters(dirs), _ran(dirs)
    waited = 1 + (now_ran[1] - ran[1]) / max(1e-3, now_ran[0] - ran[0])
    sums = totals(snapshot(PROC, pids_of(dirs)))
    refaults = (after.refault_bytes or 0) - (before.refault_bytes or 0)
    wrong = asked.wrong[0] if asked.wrong else ""
    return Trial(
        limit_bytes=limit_bytes,
        why=_ended(row, name) or wrong,
        start_s=round(start_s, 2),
        requests=len(asked.seconds),
        p95_s=round(asked.p95_s / waited, 4),
        waited=round(waited, 2),
        refault_per_request_bytes=round(refaults / max(1, len(asked.seconds))),
        mapped_bytes=sums.mapped_bytes,
        anonymous_bytes=after.anonymous_bytes,
        kernel_bytes=after.kernel_bytes or 0,
        peak_usage_bytes=_peak(dirs),
    )


@contextmanager
def _running(row: Row, found: Planned, project: Path, limit_bytes: int | None) -> Iterator[tuple[str, Ask]]:
    argv, environ, health = rendered(row, found, project)
    python = SERVED[row.model].python
    if row.server != "celery":
        with container(project, python, argv, environ, limit_bytes=limit_bytes, health=health) as name:
            yield name, _http(row, name)
        return
    with (
        _broker() as network,
        container(project, python, argv, environ, limit_bytes=limit_bytes, network=network) as name,
    ):
        yield (
            name,
            lambda count, clients, expected, within_s, request_s: asking.celery(
                str(project), network, count, clients, expected, within_s=within_s, request_s=request_s
            ),
        )


def _http(row: Row, name: str) -> Ask:
    port = int(docker("port", name, "8000/tcp").stdout.split()[0].rpartition(":")[2])
    return lambda count, clients, expected, within_s, request_s: asking.http(
        port, SERVED[row.model], count, clients, expected, within_s=within_s, request_s=request_s
    )


@contextmanager
def _broker() -> Iterator[str]:
    """A network with a Redis called ``broker``."""
    name = f"mlpack-bench-{time.monotonic_ns()}"
    docker("network", "create", name)
    try:
        argv = ["redis-server", "--save", "", "--protected-mode", "no"]
        docker("run", "--detach", "--rm", "--name", name, "--network", name, "--network-alias", "broker", IMAGE, *argv)
        yield name
    finally:
        docker("rm", "--force", "--volumes", name, check=False)
        docker("network", "rm", name, check=False)


def _started(row: Row, name: str, within_s: float) -> tuple[float, str]:
    """Seconds until every process has loaded its model and said so, or why it never came to that."""
    began_s = time.monotonic()
    while time.monotonic() < began_s + within_s:
        ended = _ended(row, name)
        if ended:
            return 0.0, ended
        if _ready(name) >= _loads(row):
            return time.monotonic() - began_s, ""
        time.sleep(0.25)
    return 0.0, f"not loaded within {within_s:.0f} s"


def _loads(row: Row) -> int:
    """Processes that load the model: the master alone where it is preloaded."""
    return 1 if row.preload else row.workers


def _ready(name: str) -> int:
    return _logs(name, 100_000).count("READY ")


def _ended(row: Row, name: str) -> str:
    """Why the service is no longer what was started: killed, ended, or a worker replaced. Empty: it is."""
    state = json.loads(docker("inspect", "--format", "{{json .State}}", name).stdout)
    if state["OOMKilled"]:
        return "killed: out of memory"
    if not state["Running"]:
        return f"ended with {state['ExitCode']}"
    try:
        if read_counters(_dirs(name)).oom_kills:
            return "killed: out of memory"
    except (MlpackError, RuntimeError):
        return "ended"
    return "a worker was replaced" if _ready(name) > _loads(row) else ""


def _dirs(name: str) -> CgroupDirs:
    pid = int(docker("inspect", "--format", "{{.State.Pid}}", name).stdout)
    found = find_cgroup(PROC, pid) if pid else None
    if found is None:
        raise RuntimeError("the container's control group is not on this machine")
    return found


def _ran(dirs: CgroupDirs) -> tuple[float, float]:
    """Seconds that the container's threads ran, and waited for a core (schedstat)."""
    ran = waited = 0
    for pid in pids_of(dirs):
        for file in (PROC / str(pid) / "task").glob("*/schedstat"):
            with suppress(OSError):
                words = file.read_text().split()
                ran, waited = ran + int(words[0]), waited + int(words[1])
    return ran / 1e9, waited / 1e9


def _peak(dirs: CgroupDirs) -> int:
    """The kernel's own peak of everything charged."""
    file = dirs.memory / ("memory.peak" if dirs.version == 2 else "memory.max_usage_in_bytes")
    return int(file.read_text()) if file.exists() else 0


def _logs(name: str, lines: int = 30) -> str:
    done = docker("logs", "--tail", str(lines), name, check=False)
    return done.stdout + done.stderr
