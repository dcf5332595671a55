"""Does a service stop within its grace period, with requests in flight answered? Asked last: nothing runs after it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from mlpack.launchers.base import Instance
from mlpack.servers import SERVERS
from mlpack.units import show_duration
from mlpack.verify.acting import tell_to_stop
from mlpack.verify.asking import Asked, largest
from mlpack.verify.run import Answer, Run
from mlpack.verify.seeing import ContainerEyes, HostEyes, eyes_for

NAME = "stops"
NEEDS = ("ready",)
OWN_CODE = ("app", "worker", "actors")
LEAST_S = 0.4
"""A request that takes less alone is over before the signal comes: none is sent then."""
AFTER = 0.25
"""Of a request's time, after which the signal is sent: it is at work then, and far from done."""
MARGIN_S = 5.0
LOOK_S = 0.05
KILLED = 137


def check(run: Run) -> Answer:
    """SIGTERM to each service of the project's own code, web services before what they need."""
    evidence: list[str] = []
    unproven: list[str] = []
    order = sorted(run.instances, key=lambda one: OWN_CODE.index(_role(run, one)) if _role(run, one) in OWN_CODE else 9)
    for instance in order:
        if _role(run, instance) not in OWN_CODE:
            continue  # official images stop as their makers mean them to; the teardown sees whether they do
        if instance.name in run.ended:
            unproven.append(f"{instance.name}: it was not there any more to be told to stop: see `recovers`")
            continue
        found = _stop(run, instance)
        if isinstance(found, Answer):
            return found
        evidence.append(found)
    if unproven:
        return Answer("not_proven", unproven[0], (*unproven[1:], *evidence))
    if not evidence:
        return Answer("passed", "no service runs the project's code")
    return Answer("passed", "services stop in time, and finish what they have begun", tuple(evidence))


def _stop(run: Run, instance: Instance) -> Answer | str:
    grace_s = float(run.service(instance).times.stop_grace_s.value)
    eyes = eyes_for(instance, run.environ)
    if eyes is None:
        cause = run.cause(instance)
        return Answer("failed", f"{instance.name} was gone before it was told to stop", cause.evidence, cause.hint)
    asked: list[Asked] = []
    asking = _in_flight(run, instance, asked)
    start_s = time.monotonic()
    problem = tell_to_stop(eyes)
    if problem is not None:
        return Answer("not_proven", f"{instance.name}: it could not be told to stop: {problem}")
    # a look at /proc is cheap; the engine's word is a program of its own, which would compete with what still computes
    while _lives_here(instance, eyes) and time.monotonic() - start_s < grace_s + MARGIN_S:
        time.sleep(LOOK_S)
    state = instance.state()
    while state.running and time.monotonic() - start_s < grace_s + MARGIN_S:
        time.sleep(LOOK_S)
        state = instance.state()
    took_s = time.monotonic() - start_s
    if asking is not None:
        asking.join()
    if state.running or took_s > grace_s:
        words = f"{instance.name} did not stop within its grace period of {grace_s:g} s: it would be killed"
        hint = "does the app, or a script that starts it, pass SIGTERM on (exec)? Threads that never end are daemons"
        return Answer("failed", words, tuple(run.cause(instance).evidence), hint, kind="no-graceful-stop")
    if state.exit_code == KILLED:
        words = f"{instance.name} was killed while it stopped"
        return Answer("failed", words, run.cause(instance).evidence, kind="no-graceful-stop")
    cut = [one for one in asked if not one.right]
    if cut:
        words = f"{instance.name}: {len(cut)} of {len(asked)} requests in flight were cut off when it stopped"
        hint = "the server must let its workers finish: graceful time below the stop grace period, and above a request"
        return Answer("failed", words, cut[0].words, hint, kind="cut-off")
    flight = f", {len(asked)} in flight answered" if asked else "; requests are too short to be in flight"
    tried = flight if _request(run, instance) is not None else ""
    return f"{instance.name}: stopped after {show_duration(took_s)} of {grace_s:g} s{tried}"


def _lives_here(instance: Instance, eyes: HostEyes | ContainerEyes) -> bool:
    """Whether a container's first process is seen to live; False where only its keeper can tell."""
    return instance.container is not None and isinstance(eyes, HostEyes) and Path(f"/proc/{eyes.root}").exists()


def _in_flight(run: Run, instance: Instance, asked: list[Asked]) -> threading.Thread | None:
    """One request for each worker, under way when this returns; None where requests are too short."""
    name = _request(run, instance)
    alone_s = run.alone_s.get(name or "", 0.0)
    if name is None or alone_s < LEAST_S:
        return None
    count = run.service(instance).workers.value
    asker = run.asking_at(instance)
    thread = threading.Thread(target=lambda: asked.extend(asker.together(name, count)), daemon=True, name="in flight")
    thread.start()
    time.sleep(AFTER * alone_s)
    return thread


def _request(run: Run, instance: Instance) -> str | None:
    """The largest request that ``instance`` answers by itself, in one exchange."""
    if _role(run, instance) != "app" or instance.url is None:
        return None
    names = largest(run.plan.spec.requests)
    requests = run.plan.spec.requests
    return next((n for n in names if instance.service in run.services_of(n) and len(requests[n].steps) == 1), None)


def _role(run: Run, instance: Instance) -> str:
    return SERVERS[run.service(instance).server].FACTS.role
