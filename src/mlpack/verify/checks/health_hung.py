"""Does health go bad when the workers hang? All are frozen for a moment; nobody may say 200 meanwhile."""

from __future__ import annotations

from mlpack.verify.acting import frozen
from mlpack.verify.run import Answer, Run
from mlpack.verify.seeing import eyes_for
from mlpack.verify.workers import worker_pids

NAME = "health_hung"
NEEDS = ("load",)
FROZEN_S = 1.5
"""Long enough for whoever else may answer health, shorter than any server's patience with a silent worker."""


def check(run: Run) -> Answer:
    """Freeze, ask, thaw, and wait until health is good again."""
    evidence: list[str] = []
    unproven: list[str] = []
    for instance in run.instances:
        service = run.service(instance)
        eyes = eyes_for(instance, run.environ)
        if service.health is None or service.health.path is None or instance.url is None or eyes is None:
            continue
        pids = worker_pids(service.server, service.workers.value, eyes.processes(), eyes.root)
        asker = run.asking()
        with frozen(eyes, pids) as problem:
            reason = None if problem else asker.not_healthy(instance.url, service.health.path, FROZEN_S)
        if problem is not None:
            unproven.append(f"{instance.name}: {problem}")
            continue
        if reason is None:
            words = f"{instance.name}: health says 200 while all of its {len(pids)} workers are frozen"
            hint = "health must be answered by the process that computes, else nobody notices that it hangs"
            return Answer("failed", words, tuple(evidence), hint, kind="health-green-when-hung")
        evidence.append(f"{instance.name}: with its workers frozen health says: {reason}")
        asker.not_healthy(instance.url, service.health.path, float(service.health.timeout_s.value))  # thawed: drained
    if unproven:
        return Answer("not_proven", unproven[0], (*unproven[1:], *evidence))
    if not evidence:
        return Answer("passed", "no service has a health route of its own to ask")
    return Answer("passed", "health is bad while the workers hang", tuple(evidence))
