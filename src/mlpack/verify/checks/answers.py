"""Is every request of mlpack.yaml answered as expected?"""

from __future__ import annotations

from mlpack.units import show_duration
from mlpack.verify.run import Answer, Run

NAME = "answers"
NEEDS = ("every_worker",)


def check(run: Run) -> Answer:
    """Ask each request once; all are asked, whatever the first ones say."""
    requests = run.plan.spec.requests
    if not requests:
        return Answer("not_proven", "mlpack.yaml has no requests", hint="add one with its expected answer")
    evidence: list[str] = []
    wrong: list[str] = []
    for name, request in requests.items():
        asked = run.asking().ask(name)
        if asked.right:
            compared = any(step.expect is not None or step.until is not None for step in request.steps)
            what = "as expected" if compared else "status 200, nothing else is expected"
            evidence.append(f"{name}: {what} ({show_duration(asked.elapsed_s)})")
        else:
            wrong += [f"{name}: {word}" for word in asked.words]
    if wrong:
        hint = "is it the right model, and are the expected answers of mlpack.yaml those of this model?"
        failed = len({line.partition(":")[0] for line in wrong})
        return Answer("failed", f"{failed} of {len(requests)} requests answered wrongly", (*wrong, *evidence), hint)
    return Answer("passed", f"{len(requests)} of {len(requests)} requests answered as expected", tuple(evidence))
