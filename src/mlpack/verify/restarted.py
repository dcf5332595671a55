"""Kills a service that is one process, under a request: does its keeper start it again, as the restart policy says?

A trial turns restarts off, as a crash must be seen. Here the rendered policy is put in force for the time of one
accident, which ends the container (or the unit's main process): nothing in it could start the process again.
"""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass

from mlpack.launchers.base import Instance, Keeping
from mlpack.units import show_duration
from mlpack.verify.acting import send
from mlpack.verify.asking import Asked, largest, mixed
from mlpack.verify.run import Answer, Run
from mlpack.verify.seeing import ContainerEyes, HostEyes
from mlpack.verify.workers import worker_pids

MARGIN_S = 10.0
"""Beyond the start period: engines wait a moment before a restart, units 5 s."""
GONE_S = 10.0
"""Who is not even started again after this will not be."""
USUAL_PERIOD_S = 30.0
"""Where no health check states a start period."""
LOOK_S = 0.2
ASK_S = 1.0
AFTER = 0.25
"""Of a request's time, after which its process is killed: it is at work then."""
NOBODY, RUNNING = "no", "running"


def restarted(run: Run, instance: Instance, eyes: HostEyes | ContainerEyes) -> Answer | str:
    """Kill the one process of ``instance``; in words how it came back, else the failure or why it was not tried."""
    planned = run.plan.spec.settings.restart
    if planned == NOBODY:
        return f"{instance.name}: one process, which nobody starts again: settings.restart is {planned}"
    keeping = instance.let_restart(on=True)
    try:
        if keeping.problem is not None:
            words = f"{instance.name}: one process (restart: {planned}), its end not tried: {keeping.problem}"
            return Answer("not_proven", words)
        return _kill(run, instance, eyes, keeping)
    finally:
        instance.let_restart(on=False)


def _kill(run: Run, instance: Instance, eyes: HostEyes | ContainerEyes, keeping: Keeping) -> Answer | str:
    pids = worker_pids(run.service(instance).server, 1, eyes.processes(), eyes.root)
    pid, name = instance.root_pid, _request(run, instance)
    if isinstance(eyes, ContainerEyes) and eyes.root in pids:
        return Answer("not_proven", f"{instance.name}: the first process of a container cannot be killed from inside")
    before, asked = Before(pid, instance.state().restarts), list[Asked]()
    asking = threading.Thread(target=lambda: _ask(run, instance, name, asked), daemon=True, name="under a kill")
    asking.start()
    if name is not None:
        time.sleep(AFTER * run.alone_s.get(name, 0.0))
    problem = send(eyes, pids, signal.SIGKILL) if pids else "it has no process"
    killed_s = time.monotonic()
    if problem is not None:
        return Answer("not_proven", f"{instance.name}: its process could not be killed: {problem}")
    back = _back(run, instance, keeping, before, killed_s)
    asking.join(ASK_S)  # a flow of several steps may go on asking for its outcome, where nobody answers any more
    if isinstance(back, Answer):
        return back
    outcome = "answered" if asked and asked[0].right else f"lost ({asked[0].kind if asked else 'no answer'})"
    when = "at rest" if name is None else f"under a request, which was {outcome}"
    return f"{instance.name}: its one process was killed {when}; {back} (restart: {keeping.policy})"


@dataclass(frozen=True)
class Before:
    """The first process (None: not seen from here), and how often it was started again, before the kill."""

    pid: int | None
    restarts: int


def _back(run: Run, instance: Instance, keeping: Keeping, before: Before, killed_s: float) -> Answer | str:
    """Wait until ``instance`` lives again, is healthy and answers rightly."""
    health = run.service(instance).health
    bound_s = (USUAL_PERIOD_S if health is None else float(health.start_period_s.value)) + MARGIN_S
    while True:
        state, elapsed_s = instance.state(), time.monotonic() - killed_s
        # an engine that waits before a restart has counted it already, and calls that "restarting"
        if state.status == RUNNING and (
            state.restarts > before.restarts or instance.root_pid not in (before.pid, None)
        ):
            break
        if elapsed_s > GONE_S:
            run.ended.add(instance.name)
            words = f"{instance.name}: its one process was killed, and did not come back within "
            words += f"{show_duration(elapsed_s)}: its restart policy is {keeping.policy}"
            hint = f"{run.plan.spec.settings.restart} is planned: does compose.override.yaml, or a drop-in, undo it?"
            return Answer("failed", words, (f"its keeper says: {state.status}",), hint, kind="not-restarted")
        time.sleep(LOOK_S)
    base = instance.url
    instance.look_again()
    run.asking().moved(base, instance.url)
    path = None if health is None else health.path
    reason: str | None = "not asked"
    while path is not None and instance.url is not None:
        reason = run.asking().not_healthy(instance.url, path, ASK_S)
        elapsed_s = time.monotonic() - killed_s
        if reason is None:
            break
        if elapsed_s > bound_s:
            cause = run.cause(instance)
            words = f"{instance.name}: killed and started again, it was not healthy within {show_duration(bound_s)}"
            return Answer("failed", f"{words}: {reason}", cause.evidence, cause.hint, kind="not-restarted")
        time.sleep(LOOK_S)
    took = show_duration(time.monotonic() - killed_s)
    name = _request(run, instance)
    if name is None:
        return f"its keeper started it again within {took}"
    asked = run.asking_at(instance).patient(bound_s).ask(name)
    if not asked.right:
        cause = run.cause(instance)
        words = f"{instance.name}: killed and started again, an answer goes wrong: {asked.kind}"
        return Answer("failed", words, (*asked.words, *cause.evidence), cause.hint, kind="not-restarted")
    how = "healthy" if reason is None else "running"
    return f"it was {how} again after {took}, and answers rightly"


def _request(run: Run, instance: Instance) -> str | None:
    """A request that reaches ``instance``: the largest that is one exchange, as it works on that throughout."""
    requests = run.plan.spec.requests
    names = [n for n in (*largest(requests), *mixed(requests)) if instance.service in run.services_of(n)]
    return next((n for n in names if len(requests[n].steps) == 1), names[0] if names else None)


def _ask(run: Run, instance: Instance, name: str | None, asked: list[Asked]) -> None:
    if name is not None:
        asked.append(run.asking_at(instance).ask(name))
