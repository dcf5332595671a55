"""Do the running processes have what was planned: workers, variables, limits? A file by itself proves nothing."""

from __future__ import annotations

import time

from mlpack.launchers.base import Instance
from mlpack.servers import SERVERS
from mlpack.units import show_mib
from mlpack.verify.run import Answer, Run
from mlpack.verify.seeing import ContainerEyes, HostEyes, eyes_for
from mlpack.verify.workers import worker_pids

NAME = "planned"
NEEDS = ("ready",)
COUNTED = frozenset({"app", "worker", "proxy"})
"""Roles whose plan says how many workers there are; queues, databases and Ray's head start helpers of their own."""
SETTLES_S, EVERY_S = 5.0, 0.25
"""How long a count may be wrong: servers replace workers (max_requests, a child's last task)."""


def check(run: Run) -> Answer:
    """Compare each service's processes with its plan."""
    evidence: list[str] = []
    wrong: list[str] = []
    unread: list[str] = []
    hint: str | None = None
    for instance in run.instances:
        eyes = eyes_for(instance, run.environ)
        if eyes is None:
            wrong.append(f"{instance.name} has ended")
            continue
        if not _compare_workers(run, instance, eyes, evidence, wrong):
            cause = run.cause(instance)
            wrong += [cause.words, *cause.evidence] if cause.words else []
            hint = hint or cause.hint
        if not _compare_limit(run, instance, evidence, wrong):
            unread.append(f"{instance.name}: its memory limit cannot be read here")
    if wrong:
        hint = hint or "is there another compose.override.yaml, or does the app or its start script change it?"
        return Answer("failed", wrong[0], (*wrong[1:], *evidence), hint)
    if unread:
        return Answer("not_proven", unread[0], (*unread[1:], *evidence))
    return Answer("passed", "workers, variables and limits are as planned", tuple(evidence))


def _compare_workers(
    run: Run, instance: Instance, eyes: HostEyes | ContainerEyes, evidence: list[str], wrong: list[str]
) -> bool:
    """Compare the workers' number and variables; False where there are more or fewer than planned, and stay so."""
    service = run.service(instance)
    if SERVERS[service.server].FACTS.role not in COUNTED:
        return True  # its processes are its own affair
    planned = service.workers.value
    until = time.monotonic() + SETTLES_S
    while True:
        processes = eyes.processes()
        pids = worker_pids(service.server, planned, processes, eyes.root)
        if len(pids) == planned or time.monotonic() > until:
            break
        time.sleep(EVERY_S)
    (evidence if len(pids) == planned else wrong).append(f"{instance.name}: {len(pids)} workers, {planned} planned")
    threads = [process.threads for process in processes if process.pid in pids]
    evidence.append(f"{instance.name}: operating system threads per worker: {', '.join(map(str, threads))}")
    expected = run.environment(instance.service)
    environ = eyes.environ(expected)
    for pid in pids:
        has = environ.get(pid, {})
        for key, value in expected.items():
            if has.get(key) != value:
                wrong.append(f"{instance.name}, worker {pid}: {key} is {has.get(key)!r}, planned {value!r}")
    if expected and pids:
        evidence.append(f"{instance.name}: {len(expected)} planned variables: {', '.join(sorted(expected))}")
    return len(pids) == planned


def _compare_limit(run: Run, instance: Instance, evidence: list[str], wrong: list[str]) -> bool:
    """Compare the limit in force with the planned one; False where it cannot be read."""
    watch = run.watch(instance)
    counters = watch.counters() if watch is not None else None
    planned = run.service(instance).memory.limit_bytes.value
    if watch is None or counters is None or not watch.own_group:
        return not run.limited(instance)  # the report says what was not limited at all
    if counters.limit_bytes == planned:
        evidence.append(f"{instance.name}: memory limit {show_mib(planned)}")
    elif run.limited(instance):
        has = "none" if counters.limit_bytes is None else show_mib(counters.limit_bytes)
        wrong.append(f"{instance.name}: memory limit {has}, planned {show_mib(planned)}")
    return True
