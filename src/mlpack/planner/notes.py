"""What the user should know about a decided service: each a finding with a stable code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlpack.plan import ServicePlan
from mlpack.planner.load_machine import UNMET
from mlpack.planner.memory import need
from mlpack.planner.subject import Choice, Subject
from mlpack.planner.threads import fits_cores
from mlpack.planner.throughput import has_load, unmet
from mlpack.report import Finding
from mlpack.spec import Load, Spec
from mlpack.units import counted, show_duration, show_mib

BIG_SHARE = 0.25
"""Of what is needed while serving: where requests beyond the first take so much, their number decides the plan."""


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
    measured_threads = subject.footprint.threads
    if subject.computes and measured_threads is not None and choice.threads > measured_threads:
        yield Finding(
            code="threads-extrapolated",
            severity="note",
            message=f"{subject.name} was measured with {counted(measured_threads, 'thread')} and is planned for "
            f"{choice.threads}: memory is taken to be the same, as it was within 3 % from 1 to 8 (docs/memory.md)",
            where=f"{where}.threads",
            hint="measure again: mlpack estimate --measure",
        )
    if subject.computes and (reasons := _wide(subject, choice)):
        yield Finding(
            code="estimate-wide",
            severity="note",
            message=f"the estimate of {subject.name} is wide: {'; '.join(reasons)}",
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
    workers = choice.workers
    if subject.reload and subject.facts.reload_needs_one_worker and workers > 1:
        yield Finding(
            code="reload-off",
            severity="note",
            message=f"{subject.facts.name} watches files with one worker only, and {workers} were asked for",
            where=f"{where}.workers",
            hint=f"set services.{subject.name}.workers: 1 in the dev profile",
        )
    if has_load(subject, load) and (reason := unmet(subject, choice, load)):
        message = f"{subject.name} does not bear the load ({subject.footprint.source} times): {reason}"
        yield Finding(code=UNMET, severity="warning", message=message, where="load")
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


def _wide(subject: Subject, choice: Choice) -> tuple[str, ...]:
    """Why the estimate is wide: for itself, and where several requests at once are much of the sum."""
    footprint, at_once = subject.footprint, choice.concurrency
    each = sum(region.bytes for region in footprint.regions if region.per == "request" and region.kind != "gpu")
    if footprint.source == "measured" or at_once == 1 or each * (at_once - 1) < BIG_SHARE * need(subject, choice).serve:
        return footprint.widened
    reason = (
        f"{at_once} requests at once in each worker are planned as {at_once} x {show_mib(each)}, though their peaks "
        "seldom meet"
    )
    return (*footprint.widened, reason)


def crowded_llms(plans: Mapping[str, ServicePlan], spec: Spec, llms: Iterable[str]) -> Iterable[Finding]:
    """LLM servers that more workers may call at once than they have slots, with nothing that bounds the callers.

    A caller that reads ``{from: llm.concurrency}`` bounds itself. What waits in the LLM's queue counts against the
    caller's own time limit: three tasks on one slot wait for each other (systems of this kind hung for half an hour).
    """
    callers: dict[str, dict[str, int]] = {}
    for caller, service in spec.services.items():
        bounded = {value.of for value in service.env.values() if value.fact == "concurrency"}
        for called in {value.of for value in service.env.values() if value.of} - bounded:
            callers.setdefault(called, {})[caller] = _at_once(plans[caller])
    for name in llms:
        slots, unbounded = _at_once(plans[name]), callers.get(name, {})
        if sum(unbounded.values()) > slots:
            yield Finding(
                code="llm-callers-unbounded",
                severity="warning",
                message=f"{' and '.join(unbounded)} may call {name} {sum(unbounded.values())} times at once, "
                f"it answers {slots}: the others wait on their own time limits",
                where=f"services.{next(iter(unbounded))}.env",
                hint=f"let the caller bound itself: LLM_SLOTS: {{from: {name}.concurrency}}",
            )


def _at_once(plan: ServicePlan) -> int:
    return plan.workers.value * plan.concurrency.value * plan.replicas.value


def _crowded(subject: Subject, choice: Choice, where: str) -> Finding:
    what = "workers" if choice.workers * subject.parallel > subject.cores else "concurrency"
    return Finding(
        code=f"{what}-exceed-cores" if what == "workers" else "concurrency-exceeds-cores",
        severity="warning",
        message=f"{subject.name} computes {choice.workers} x {choice.concurrency} requests at once on "
        f"{subject.cores:g} cores: each costs memory, none makes it faster",
        where=f"{where}.{what}",
    )
