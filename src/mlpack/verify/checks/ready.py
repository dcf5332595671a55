"""Does health say 200 within the start period, and not before an inference can succeed?"""

from __future__ import annotations

import time

from mlpack.launchers.base import Instance
from mlpack.units import show_duration
from mlpack.verify.asking import largest
from mlpack.verify.busy import busy_words
from mlpack.verify.hung import TIMED_OUT, hung
from mlpack.verify.proxies import proxy_ready
from mlpack.verify.run import Answer, Run
from mlpack.verify.seeing import eyes_for

NAME = "ready"
NEEDS = ("starts",)
PAUSE_S = 0.1
ASK_S = 1.0
"""A worker that loads does not answer, and meanwhile it must be seen whether the service has ended."""
LOOK_EVERY_S = 1.0
"""How often the engine is asked about the container: each question is a process of its own."""
SAY_EVERY_S = 5.0
MARGIN_SHARE, MARGIN_S = 1.0, 10.0
"""Waited beyond the start period, to tell "slower than planned" from "never"."""


def check(run: Run) -> Answer:
    """Wait for each service's health, then ask the first inference at once."""
    evidence: list[str] = []
    late: list[str] = []
    later: list[Instance] = []
    for instance in run.instances:
        health = run.service(instance).health
        if health is None:
            continue
        period_s = float(health.start_period_s.value)
        deadline_s = period_s + max(MARGIN_S, MARGIN_SHARE * period_s)
        waited = _wait(run, instance, deadline_s)
        if isinstance(waited, Answer):
            return waited
        evidence.append(f"{instance.name}: healthy after {show_duration(waited)} (start period {period_s:g} s)")
        if waited > period_s:
            late.append(f"{instance.name} took {show_duration(waited)}, the start period is {period_s:g} s")
        if not _by_itself(run, instance):
            later.append(instance)
        elif (wrong := _first_inference(run, instance)) is not None:
            return wrong
    for instance in run.instances:
        if run.service(instance).health is None and instance.url is not None:
            found = proxy_ready(run, instance)
            if isinstance(found, Answer):
                return found
            evidence += found
    for instance in later:
        if (wrong := _first_inference(run, instance)) is not None:
            return wrong
    if late:
        hint = "measure the load time (`mlpack estimate --measure`): an orchestrator would call it unhealthy"
        busy = _busy(run)
        if busy is not None:
            return Answer("not_proven", f"{'; '.join(late)}, but {busy}", tuple(evidence), "try again when it is quiet")
        return Answer("failed", "; ".join(late), tuple(evidence), hint)
    if not evidence:
        return Answer(
            "not_proven", "no service has a health check", hint="give the app a health route: health: /health"
        )
    return Answer("passed", "healthy within the start period", tuple(evidence))


def _wait(run: Run, instance: Instance, deadline_s: float) -> float | Answer:
    """Seconds from start to the first 200, or the failure."""
    last, said_s, looked_s = "", 0.0, 0.0
    while True:
        reason = _not_ready(run, instance)
        elapsed_s = time.monotonic() - instance.started_s
        if reason is None:
            # `compose up` may have waited for others meanwhile: its keeper saw it earlier
            return min(elapsed_s, instance.healthy_after_s or elapsed_s)
        if elapsed_s - looked_s > LOOK_EVERY_S or elapsed_s > deadline_s:
            looked_s = elapsed_s
            state = instance.state()
            if not state.running or run.oom_kills(instance, state):
                cause = run.cause(instance)
                return Answer("failed", cause.words, (*cause.evidence, f"health said last: {reason}"), cause.hint)
        if elapsed_s > deadline_s:
            words = f"{instance.name} was not ready within {show_duration(deadline_s)}; health said last: {reason}"
            cause = run.cause(instance)
            hint = (
                cause.hint or "does the health route answer 200 once the models are loaded? The log says how far it got"
            )
            return Answer("failed", words, (*cause.evidence, *filter(None, [_busy(run)])), hint)
        if reason != last or elapsed_s - said_s > SAY_EVERY_S:
            run.say(f"{instance.name} after {elapsed_s:.0f} s: {reason}")
            last, said_s = reason, elapsed_s
        time.sleep(PAUSE_S)


def _not_ready(run: Run, instance: Instance) -> str | None:
    health = run.service(instance).health
    assert health is not None
    if health.path is not None and instance.url is not None:
        return run.asking().not_healthy(instance.url, health.path, min(ASK_S, float(health.timeout_s.value)))
    state = instance.state()
    if state.health is None or state.health == "healthy":
        return None if state.running else state.status
    return f"the engine's health check: {state.health}"


def _busy(run: Run) -> str | None:
    """A line where this machine was so busy with other work that times mean little."""

    def services_s() -> float:
        seen = [eyes_for(instance, run.environ) for instance in run.instances]
        return sum(process.cpu_s for eyes in seen if eyes is not None for process in eyes.processes())

    return busy_words(run.started, services_s)


def _by_itself(run: Run, instance: Instance) -> bool:
    """Its requests need none of the deployment's other services but the proxies before it, which can be passed by."""
    names = [n for n in largest(run.plan.spec.requests) if instance.service in run.services_of(n)]
    others = {service for name in names[:1] for service in run.services_of(name)} - {instance.service}
    return instance.url is not None and others <= set(run.proxies_of(instance.service))


def _first_inference(run: Run, instance: Instance) -> Answer | None:
    """The request sent right after the first 200 must be right; None when it is, or when none reaches the service."""
    names = [n for n in largest(run.plan.spec.requests) if instance.service in run.services_of(n)]
    if not names:
        return None
    asked = run.asking_at(instance).ask(names[0])
    if asked.right:
        return None
    cause = run.cause(instance)
    words = f"the first inference after {instance.name} called itself healthy went wrong ({asked.kind})"
    hint = cause.hint or "health must say 200 only after every model is loaded, and answers must be right"
    if cause.words:
        words += f": {cause.words}"
    stuck = hung(run, instance) if asked.kind == TIMED_OUT and not cause.words else None
    if stuck is not None:
        evidence = (*asked.words, *stuck.evidence, *cause.evidence)
        return Answer("failed", f"{words}: {stuck.words}", evidence, stuck.hint, stuck.patches, stuck.kind)
    return Answer("failed", words, (*asked.words, *cause.evidence), hint)
