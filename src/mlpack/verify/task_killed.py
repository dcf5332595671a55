"""Kills a queue's worker in the middle of a task, and sees whether the task is done all the same."""

from __future__ import annotations

import signal
import threading
import time

from mlpack.launchers.base import Instance
from mlpack.spec import Request
from mlpack.units import show_duration
from mlpack.verify.acting import send
from mlpack.verify.asking import Asked, Asker, largest
from mlpack.verify.run import Answer, Run
from mlpack.verify.seeing import ContainerEyes, HostEyes
from mlpack.verify.workers import worker_pids

LOOK_S = 0.05
BUSY = 0.3
"""Of a core, over one look: the child that has the task."""
LEAST_S = 0.3
"""A task that takes less is over before it can be hit."""
TRIES = 3
MOST_S = 60.0
"""A task that takes longer alone is not tried: it would have to be done twice."""


def task_survives(run: Run, instance: Instance, eyes: HostEyes | ContainerEyes) -> Answer | None:
    """Ask the largest request that reaches ``instance``, kill the child at work, wait for the answer. None where that
    was not possible (too quick, too slow, nothing computes): then a child is killed at rest."""
    # no request names a queue's worker; those that wait for an outcome are the ones that reach it
    names = [name for name in largest(run.plan.spec.requests) if _waits(run.plan.spec.requests[name])]
    if not names or not isinstance(eyes, HostEyes):
        return None
    alone_s = run.alone_s.get(names[0]) or run.asking().ask(names[0]).elapsed_s
    if alone_s < LEAST_S or (alone_s > MOST_S and not run.thorough):
        return None
    asker = run.asking().patient(_again_s(run, instance) + 3 * alone_s)
    for _ in range(TRIES):
        asked: list[Asked] = []
        waiting = threading.Thread(target=_ask, args=(asker, names[0], asked), daemon=True, name="task")
        waiting.start()
        victim = _hit(run, instance, eyes, waiting)
        waiting.join()
        if victim is not None:
            return _judge(run, instance, asked[0], names[0])
    return None


def _waits(request: Request) -> bool:
    return any(step.until is not None for step in request.steps)


def _ask(asker: Asker, name: str, asked: list[Asked]) -> None:
    asked.append(asker.ask(name))


def _hit(run: Run, instance: Instance, eyes: HostEyes, waiting: threading.Thread) -> int | None:
    """Kill the child that computes while ``waiting`` lives; None when the answer came before."""
    service, before = run.service(instance), dict[int, float]()
    while waiting.is_alive():
        processes = eyes.processes()
        pids = worker_pids(service.server, service.workers.value, processes, eyes.root)
        for process in processes:
            spent_s = process.cpu_s - before.get(process.pid, process.cpu_s)
            if process.pid in pids and spent_s > BUSY * LOOK_S:
                return process.pid if send(eyes, (process.pid,), signal.SIGKILL) is None else None
        before = {process.pid: process.cpu_s for process in processes}
        time.sleep(LOOK_S)
    return None


def _again_s(run: Run, instance: Instance) -> float:
    """What a replacement needs until it works."""
    times = run.service(instance).times
    return float(times.child_start_s.value) if times.child_start_s is not None else 30.0


def _judge(run: Run, instance: Instance, asked: Asked, name: str) -> Answer:
    if asked.right:
        return Answer(
            "passed",
            f"its child was killed in the middle of {name}, which was done all the same "
            f"({show_duration(asked.elapsed_s)})",
        )
    cause = run.cause(instance)
    words = f"{instance.name}: a child was killed in the middle of {name}, and the task was lost: {asked.kind}"
    hint = (
        "acknowledge tasks late and requeue those of lost children (task_acks_late, task_reject_on_worker_lost): does "
        "the app's own configuration or a decorator turn them off?"
    )
    return Answer("failed", words, (*asked.words, *cause.evidence), hint, kind="task-lost")
