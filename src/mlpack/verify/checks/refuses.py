"""Is broken and oversized input refused, and is the service as well afterwards as before?

A status of 500 harms nobody else, so the deployment is not at fault, and the check passes; but whoever watches the
service counts it as the service's failure, and the app surely does not check its input: the summary says so.
"""

from __future__ import annotations

from mlpack.client.files import Files
from mlpack.client.http import open_client, send
from mlpack.launchers.base import Instance
from mlpack.servers import SERVERS
from mlpack.units import show_duration
from mlpack.verify.asking import largest, mixed
from mlpack.verify.broken import Broken, bound_of, first_step, variants
from mlpack.verify.run import Answer, Run
from mlpack.verify.seeing import eyes_for
from mlpack.verify.workers import worker_pids

NAME = "refuses"
NEEDS = ("load",)
LEAST_S, MOST_S = 5.0, 30.0
"""How long an answer to broken input may take: not to be told apart from a hang beyond that."""
TIMES = 4.0
UNCHECKED = ": the app does not check its input"


def check(run: Run) -> Answer:
    """Send each broken variant once to every web service, through its proxy as users do; then ask rightly again."""
    evidence: list[str] = []
    for name in dict.fromkeys(instance.service for instance in run.instances):
        if SERVERS[run.plan.services[name].server].FACTS.role != "app":
            continue
        step = first_step(run.plan, name, mixed(run.plan.spec.requests))
        base = None if step is None else run.asking().bases.get(step.to or "")
        if step is None or base is None:
            continue
        before = _workers(run, name)
        bound = bound_of(run.plan, name, step)
        for broken in variants(step, Files(run.root), run.secrets, bound):
            wrong = _send(run, name, base, broken, evidence)
            if wrong is not None:
                return wrong
        if bound is None:
            evidence.append(f"{name}: no max_body is stated, so that only the app bounds what is sent")
        ill = _ill(run, name, before)
        if ill is not None:
            return ill
    if not evidence:
        return Answer("passed", "no request of mlpack.yaml carries a body")
    unchecked = [line for line in evidence if line.endswith(UNCHECKED)]
    if unchecked:
        hint = "check input before work and answer 400 or 422: status 500 is what alarms and retries are made for"
        first = unchecked[0].removesuffix(UNCHECKED)
        return Answer("passed", f"broken input harms nobody, but is not refused: {first}", tuple(evidence), hint)
    return Answer("passed", "broken input harms nobody, oversized input is refused", tuple(evidence))


def _send(run: Run, name: str, base: str, broken: Broken, evidence: list[str]) -> Answer | None:
    """Send one; the failure, or None with a line of evidence."""
    bound_s = min(MOST_S, max(LEAST_S, TIMES * max(run.alone_s.values(), default=0.0)))
    with open_client(trusted=run.asking().trusted) as client:
        client.headers["Connection"] = "close"
        answer = send(client, base, broken.message, bound_s)
    said = answer.broken or f"status {answer.status}"
    if answer.broken is not None and answer.broken.startswith("timed out"):
        hint = "the app must read and check its input before it works on it; a worker that waits for more is lost"
        words = f"{name}: {broken.what} was not answered within {show_duration(bound_s)}: a worker may hang on it"
        return Answer("failed", words, tuple(evidence), hint, kind="hangs-on-broken-input")
    # a server that answers 413 may close before it has read everything: the client then sees a broken connection
    if broken.too_large and answer.status is not None and not 400 <= answer.status < 500:
        hint = "a proxy enforces max_body by itself; without one the app must: env: {X: {from: web.max_body}}"
        words = f"{name}: {broken.what} was not refused ({said})"
        return Answer("failed", words, tuple(evidence), hint, kind="not-refused")
    unchecked = "" if answer.status is None or answer.status < 500 else UNCHECKED
    evidence.append(f"{name}: {broken.what}: {said}{unchecked}")
    return None


def _ill(run: Run, name: str, before: dict[str, frozenset[int]]) -> Answer | None:
    """What the broken input did to the service; None: nothing."""
    for instance in run.instances:
        if instance.service != name:
            continue
        if not instance.state().running or run.oom_kills(instance):
            cause = run.cause(instance)
            return Answer("failed", f"broken input ended it: {cause.words}", cause.evidence, cause.hint)
        gone = before.get(instance.name, frozenset()) - _of(run, instance)
        if gone and run.service(instance).recycle is None:
            cause = run.cause(instance)
            words = f"{instance.name}: broken input ended {len(gone)} of its workers"
            hint = cause.hint or "one bad request must not end the others that the worker handles"
            return Answer("failed", words, cause.evidence, hint, kind="worker-lost")
    for request in largest(run.plan.spec.requests):
        if name in run.services_of(request):
            asked = run.asking().ask(request)
            if not asked.right:
                words = f"{name}: after broken input a right request goes wrong: {asked.kind}"
                return Answer("failed", words, asked.words, "what one request leaves must not reach the next")
            return None
    return None


def _workers(run: Run, name: str) -> dict[str, frozenset[int]]:
    return {one.name: _of(run, one) for one in run.instances if one.service == name}


def _of(run: Run, instance: Instance) -> frozenset[int]:
    eyes = eyes_for(instance, run.environ)
    if eyes is None:
        return frozenset()
    service = run.service(instance)
    return frozenset(worker_pids(service.server, service.workers.value, eyes.processes(), eyes.root))
