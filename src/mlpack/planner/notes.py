"""What the user should know about a decided service: each a finding with a stable code."""

from __future__ import annotations

from collections.abc import Iterable

from mlpack.plan import ServicePlan
from mlpack.planner.capacity import has_load, unmet
from mlpack.planner.subject import Choice, Subject
from mlpack.planner.threads import fits_cores
from mlpack.report import Finding
from mlpack.spec import Load
from mlpack.units import show_duration


def notes(subject: Subject, choice: Choice, plan: ServicePlan, load: Load) -> Iterable[Finding]:
    """All findings of one service, in the order of the plan's fields."""
    where = f"services.{subject.name}"
    if subject.computes and subject.packaged:
        yield Finding(
            code="footprint-missing",
            severity="warning",
            message=f"nothing is known about the memory of {subject.name}'s models: only its server is counted",
            where=f"{where}.models",
            hint="mlpack estimate --measure",
        )
    if subject.computes and not fits_cores(subject, choice):
        yield _crowded(subject, choice, where)
    if subject.computes and subject.admission.enforced_by == "nothing":
        yield Finding(
            code="concurrency-unbounded",
            severity="warning",
            message=f"nothing bounds the requests in a worker of {subject.name}: planned for {choice.concurrency}",
            where=where,
            hint=f"let the app bound itself by a number that it reads: env: {{MAX_CONCURRENCY: "
            f"{{from: {subject.name}.concurrency}}}}; memory then falls to that of the planned requests",
        )
    if subject.computes and choice.concurrency > subject.footprint.concurrency:
        measured = subject.footprint.source == "measured"
        if measured:
            yield Finding(
                code="concurrency-extrapolated",
                severity="warning",
                message=f"{subject.name} was measured with {subject.footprint.concurrency} requests at once and is "
                f"planned for {choice.concurrency}: memory per request is multiplied",
                where=f"{where}.concurrency",
                hint="measure again: mlpack estimate --measure",
            )
    if subject.computes and subject.footprint.widened:
        yield Finding(
            code="estimate-wide",
            severity="note",
            message=f"the estimate of {subject.name} is wide: {'; '.join(subject.footprint.widened)}",
            where=where,
            hint="mlpack estimate --measure",
        )
    if not subject.computes and subject.can_have_workers and subject.footprint.source == "estimated":
        yield Finding(
            code="app-not-measured",
            severity="note",
            message=f"the memory of {subject.name}'s own code is not known: a web framework's was taken",
            where=where,
            hint="mlpack estimate --measure",
        )
    if has_load(subject, load) and (reason := unmet(subject, choice, load)):
        message = f"{subject.name} does not bear the load ({subject.footprint.source} times): {reason}"
        yield Finding(code="load-not-met", severity="warning", message=message, where="load")
    if plan.health is None and subject.facts.role in ("app", "llm"):
        yield Finding(
            code="no-health-path",
            severity="warning",
            message=f"{subject.name} has no health path: nothing tells when it is ready, or hung",
            where=f"{where}.health",
            hint="name a path that answers 200 when every model is loaded",
        )
    if plan.times.request_s.value > plan.times.graceful_s.value and plan.times.worker_s is not None:
        yield Finding(
            code="stop-cuts-requests",
            severity="note",
            message=f"a request of {subject.name} may take {show_duration(plan.times.request_s.value)}, a stop waits "
            f"{plan.times.graceful_s.value} s: longer ones are cut off",
            where=f"{where}.timeout",
        )


def _crowded(subject: Subject, choice: Choice, where: str) -> Finding:
    what = "workers" if choice.workers * subject.parallel > subject.cores else "concurrency"
    return Finding(
        code=f"{what}-exceed-cores" if what == "workers" else "concurrency-exceeds-cores",
        severity="warning",
        message=f"{subject.name} computes {choice.workers} x {choice.concurrency} requests at once on "
        f"{subject.cores:g} cores: each costs memory, none makes it faster",
        where=f"{where}.{what}",
    )
