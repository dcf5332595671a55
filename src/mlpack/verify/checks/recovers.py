"""Does a worker that is killed come back, and does its task? One worker of each service is killed (SIGKILL).

A service that is one process ends with it, and its keeper must start it again. A worker that hangs is replaced by its
server once its planned limit has passed (gunicorn's timeout, uvicorn's health check of its workers): one is frozen, and
must be replaced in time, where that limit is short enough to wait for, or whatever it is when asked to be thorough.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence

from mlpack.launchers.base import Instance
from mlpack.servers import SERVERS
from mlpack.units import show_duration
from mlpack.verify.acting import send
from mlpack.verify.asking import largest
from mlpack.verify.restarted import restarted
from mlpack.verify.run import Answer, Run
from mlpack.verify.seeing import ContainerEyes, HostEyes, eyes_for
from mlpack.verify.task_killed import task_survives
from mlpack.verify.workers import spent_s, worker_pids

NAME = "recovers"
NEEDS = ("load",)
MARGIN_S = 10.0
"""Beyond the planned load time."""
MISSING_S = 10.0
"""Servers start a replacement at once; one that is not even there after this will not come."""
LOOK_S = 0.2
HANG_MOST_S = 8.0
"""A planned limit above this is not waited for: the verification as a whole should stay below a minute."""
HANG_MARGIN_S = 5.0
"""Beyond the limit: servers look once a second, ask first (SIGABRT), and kill on their next look."""
QUIET = 0.2
"""A worker that uses less of a core than this loads no more."""
QUIET_LOOKS = 5
"""Looks in a row: a load that waits for the disk for less than a second is none that is over."""


def check(run: Run) -> Answer:
    """Kill one worker of each service that has a master to replace it; a queue's worker in the middle of a task."""
    evidence: list[str] = []
    unproven: list[str] = []
    for name in dict.fromkeys(instance.service for instance in run.instances):
        facts = SERVERS[run.plan.services[name].server].FACTS.in_pool(run.plan.spec.services[name].pool)
        if facts.role not in ("app", "worker"):
            continue
        instance = next(one for one in run.instances if one.service == name)
        eyes = eyes_for(instance, run.environ)
        if eyes is None:
            continue
        alone = not facts.has_master or (run.service(instance).server == "uvicorn" and _planned(run, instance) == 1)
        survived = task_survives(run, instance, eyes) if facts.role == "worker" and not alone else None
        found: Answer | str
        if alone:
            found = restarted(run, instance, eyes)
        elif survived is not None:
            if survived.status == "failed":
                return survived
            evidence.append(f"{instance.name}: {survived.summary}")
            found = _back(run, instance, eyes, frozenset())
        else:
            found = _kill(run, instance, eyes)
        hung = _hang(run, instance, eyes) if isinstance(found, str) and facts.role == "app" and not alone else None
        for one in (found, hung):
            if isinstance(one, Answer):
                if one.status == "failed":
                    return one
                unproven.append(one.summary)
            elif one is not None:
                evidence.append(one)
    if unproven:
        return Answer("not_proven", unproven[0], (*unproven[1:], *evidence))
    if not evidence:
        return Answer("passed", "no service has workers of its own")
    return Answer("passed", "a killed worker comes back", tuple(evidence))


def _kill(run: Run, instance: Instance, eyes: HostEyes | ContainerEyes) -> Answer | str:
    pids = _workers(run, instance, eyes)
    if not pids:
        return Answer("failed", f"{instance.name} has no worker")
    victim = pids[0]
    problem = send(eyes, (victim,), signal.SIGKILL)
    if problem is not None:
        return Answer("not_proven", f"{instance.name}: a worker could not be killed: {problem}")
    return _back(run, instance, eyes, frozenset({victim}))


def _hang(run: Run, instance: Instance, eyes: HostEyes | ContainerEyes) -> Answer | str | None:
    """Freeze one worker for good; its server must end it within the limit of the plan, and start another."""
    limit = run.service(instance).times.worker_s
    if limit is None:
        return None
    stated = f"{instance.name}: its server replaces a worker that hangs after {limit.value} s"
    if limit.value > HANG_MOST_S and not run.thorough:
        return f"{stated}; not tried: would take up to {limit.value + HANG_MARGIN_S:g} s (--thorough tries it)"
    pids = _workers(run, instance, eyes)
    problem = send(eyes, pids[:1], signal.SIGSTOP) if pids else "it has no worker"
    if problem is not None:
        return Answer("not_proven", f"{instance.name}: a worker could not be frozen: {problem}")
    start_s = time.monotonic()
    while pids[0] in _cpu(run, instance, eyes):
        elapsed_s = time.monotonic() - start_s
        if elapsed_s > limit.value + HANG_MARGIN_S:
            send(eyes, pids[:1], signal.SIGCONT)
            words = f"{instance.name}: a worker that hangs is still there after {show_duration(elapsed_s)}"
            hint = f"the plan states {limit.value} s: is its server told so (timeout), or does another line undo it?"
            return Answer("failed", words, (stated,), hint, kind="hung-stays")
        time.sleep(LOOK_S)
    took = show_duration(time.monotonic() - start_s)
    back = _back(run, instance, eyes, frozenset(pids[:1]))
    return back if isinstance(back, Answer) else f"{instance.name}: a worker that hung was replaced after {took}"


def _back(run: Run, instance: Instance, eyes: HostEyes | ContainerEyes, killed: frozenset[int]) -> Answer | str:
    """Wait until as many workers as planned live and have loaded, then ask. ``killed`` may not be among them."""
    service, planned = run.service(instance), _planned(run, instance)
    period_s = float(service.health.start_period_s.value) if service.health is not None else 30.0
    if service.times.child_start_s is not None:
        period_s = max(period_s, float(service.times.child_start_s.value))
    bound_s, start_s, quiet = period_s + MARGIN_S, time.monotonic(), 0
    there_s = start_s
    before = _cpu(run, instance, eyes)
    while quiet < QUIET_LOOKS:
        time.sleep(LOOK_S)
        now = _cpu(run, instance, eyes)
        new = {pid: seconds for pid, seconds in spent_s(before, now).items() if pid in before}
        there = len(now) >= planned and not killed & now.keys() and set(now) == set(new)
        quiet = quiet + 1 if there and max(new.values(), default=0.0) < QUIET * LOOK_S else 0
        before = now
        at_s = time.monotonic()
        elapsed_s, there_s = at_s - start_s, at_s if len(now) >= planned else there_s
        if elapsed_s > bound_s or at_s - there_s > MISSING_S:
            if there:
                break  # it computes, and may be at work on something else: the question below decides
            cause = run.cause(instance)
            words = (
                f"{instance.name}: {len(now)} of {planned} workers live {show_duration(elapsed_s)} after one was killed"
            )
            return Answer(
                "failed", words, cause.evidence, cause.hint or "does its server replace workers?", kind="gone"
            )
    took = show_duration(time.monotonic() - start_s)
    names = [name for name in largest(run.plan.spec.requests) if instance.service in run.services_of(name)]
    asked = run.asking_at(instance).together(names[0], planned) if names else []
    wrong = next((one for one in asked if not one.right), None)
    if wrong is not None:
        cause = run.cause(instance)
        words = f"{instance.name}: after a worker was replaced an answer goes wrong: {wrong.kind}"
        return Answer("failed", words, (*wrong.words, *cause.evidence), cause.hint)
    return f"{instance.name}: a killed worker was replaced and had loaded after {took}"


def _workers(run: Run, instance: Instance, eyes: HostEyes | ContainerEyes) -> Sequence[int]:
    return worker_pids(run.service(instance).server, _planned(run, instance), eyes.processes(), eyes.root)


def _cpu(run: Run, instance: Instance, eyes: HostEyes | ContainerEyes) -> dict[int, float]:
    """pid -> CPU seconds of every worker."""
    processes = eyes.processes()
    pids = worker_pids(run.service(instance).server, _planned(run, instance), processes, eyes.root)
    return {process.pid: process.cpu_s for process in processes if process.pid in pids}


def _planned(run: Run, instance: Instance) -> int:
    return run.service(instance).workers.value
