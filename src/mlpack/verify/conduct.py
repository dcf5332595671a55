"""Asks the checks in their order, skips what cannot be asked any more, takes everything down, and reports."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import suppress

from mlpack.errors import MlpackError, TransientError
from mlpack.report import CheckResult, Patch, VerifyReport
from mlpack.verify.cards import WITHOUT_CARD
from mlpack.verify.checks import TEARDOWN
from mlpack.verify.checks.base import Check
from mlpack.verify.remedies import remedies
from mlpack.verify.run import Answer, Run
from mlpack.verify.shield import shielded


def conduct(
    run: Run, *, host_differs: tuple[str, ...], skip: Collection[str] = (), checks: Sequence[Check]
) -> VerifyReport:
    """Run all checks and the teardown. Raises TransientError, KeyboardInterrupt; nothing is left behind either way."""
    start_s = time.monotonic()
    results: list[CheckResult] = []
    try:
        for check in checks:
            results.append(_ask(run, check, results, skip))
    finally:
        torn_s = time.monotonic()
        left = _take_down(run)
    results.append(_teardown_result(left, time.monotonic() - torn_s))
    return VerifyReport(
        project=run.plan.name,
        profiles=run.plan.profiles,
        launcher=run.launched.name,
        not_limited=run.launched.not_limited,
        host_differs=host_differs,
        checks=tuple(results),
        services=run.measurements,
        load=run.load,
        duration_s=round(time.monotonic() - start_s, 3),
    )


def _ask(run: Run, check: Check, before: list[CheckResult], skip: Collection[str]) -> CheckResult:
    """One check, or why it is skipped."""
    if check.NAME in skip:
        return CheckResult(name=check.NAME, status="skipped", summary="left out on request")
    if run.no_card is not None and check.NAME not in WITHOUT_CARD:
        return CheckResult(name=check.NAME, status="not_proven", summary=f"needs the card: {run.no_card}")
    for result in before:
        if result.name in check.NEEDS and result.status in ("failed", "skipped"):
            why = "failed" if result.status == "failed" else "was skipped"
            return CheckResult(name=check.NAME, status="skipped", summary=f"{result.name} {why}")
    run.say(f"{check.NAME} ...")
    start_s = time.monotonic()
    run.causes.clear()
    try:
        answer = check.check(run)
    except TransientError:
        raise
    except MlpackError as error:
        where = (f"at {error.where}",) if error.where else ()
        first, *rest = error.what.splitlines()
        answer = Answer("failed", first.rstrip(":"), (*(line.strip() for line in rest), *where), error.hint)
    kind, patches = _diagnosed(run, answer)
    result = CheckResult(
        name=check.NAME,
        status=answer.status,
        summary=run.hidden(answer.summary),
        evidence=tuple(map(run.hidden, answer.evidence)),
        hint=answer.hint and run.hidden(answer.hint),
        duration_s=round(time.monotonic() - start_s, 3),
        cause=kind,
        patches=patches,
    )
    run.say(f"{check.NAME}: {result.status}: {result.summary}")
    return result


def _diagnosed(run: Run, answer: Answer) -> tuple[str | None, tuple[Patch, ...]]:
    """The kind of what went wrong, and what to change in mlpack.yaml: the check's own word before the causes'."""
    if answer.status != "failed":
        return None, ()
    patches = list(answer.patches)
    for service, cause in run.causes.items():
        patches += remedies(cause, run.plan, service, run.lock.world.host)
    once = {patch.path: patch for patch in reversed(patches)}
    kinds = (cause.kind for cause in run.causes.values())
    return answer.kind or next(kinds, None), tuple(once[path] for path in dict.fromkeys(p.path for p in patches))


def _take_down(run: Run) -> tuple[str, ...]:
    """Stop watching and remove everything; a Ctrl-C that comes now does not cut it short."""
    try:
        with shielded(run.say):
            return _stop(run)
    except KeyboardInterrupt:
        with shielded(run.say), suppress(MlpackError):
            _stop(run)  # the signal may have come before the shield was up; done twice it does nothing
        raise


def _stop(run: Run) -> tuple[str, ...]:
    for watch in run.watches:
        watch.sampler.__exit__()
    return run.launched.stop()


def _teardown_result(left: tuple[str, ...], duration_s: float) -> CheckResult:
    duration_s = round(duration_s, 3)
    if left:
        return CheckResult(
            name=TEARDOWN,
            status="failed",
            summary=f"{len(left)} things are left: {left[0]}",
            evidence=left[1:],
            hint="the next run removes them, if this machine's engine lets it",
            duration_s=duration_s,
        )
    return CheckResult(name=TEARDOWN, status="passed", summary="nothing is left", duration_s=duration_s)
