"""Does health stay good while all workers are busy? A busy service that is called dead is restarted in its work."""

from __future__ import annotations

from mlpack.units import counted, show_duration
from mlpack.verify.busy import busy_words
from mlpack.verify.run import Answer, Run
from mlpack.verify.seeing import eyes_for

NAME = "health_busy"
NEEDS = ("load",)


def check(run: Run) -> Answer:
    """Judge what the health routes said during the load, within the planned timeout of the health check."""
    evidence: list[str] = []
    wrong: list[str] = []
    for instance in run.instances:
        polls = [poll for poll in run.polls if poll.instance == instance.name]
        health = run.service(instance).health
        if not polls or health is None:
            continue
        bad = [poll for poll in polls if poll.reason is not None]
        slowest = show_duration(max(poll.elapsed_s for poll in polls))
        asked = f"{instance.name}: asked {counted(len(polls), 'time')} under load, slowest answer {slowest}"
        if bad:
            wrong.append(
                f"{instance.name}: {len(bad)} of {len(polls)} health checks went wrong while its workers were busy: "
                f"{bad[0].reason} (timeout {health.timeout_s.value} s)"
            )
        else:
            evidence.append(f"{asked}; the health check waits {health.timeout_s.value} s")
        if instance.state().health == "unhealthy":
            wrong.append(f"{instance.name}: the engine calls it unhealthy after the load")
    if wrong:
        busy = busy_words(run.started, lambda: _services_s(run))
        if busy is not None:
            return Answer("not_proven", f"{wrong[0]}, but {busy}", tuple(evidence), "try again when it is quiet")
        hint = (
            "answer health beside the inference (an `async def` route, a thread of its own), or let requests take "
            "less: an orchestrator restarts a busy service for this"
        )
        return Answer("failed", wrong[0], (*wrong[1:], *evidence), hint, kind="health-red-when-busy")
    if not evidence:
        return Answer("passed", "no service has a health route of its own to ask")
    return Answer("passed", "health stays good under load", tuple(evidence))


def _services_s(run: Run) -> float:
    seen = [eyes_for(instance, run.environ) for instance in run.instances]
    return sum(process.cpu_s for eyes in seen if eyes is not None for process in eyes.processes())
