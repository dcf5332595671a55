"""Are the planned cards here, and can this engine hand them to containers? Asked only where the plan has some."""

from __future__ import annotations

from mlpack.targets.gpu import OVERRIDE
from mlpack.units import show_mib
from mlpack.verify.cards import planned_cards
from mlpack.verify.run import Answer, Run

NAME = "cards"
NEEDS: tuple[str, ...] = ()


def check(run: Run) -> Answer:
    """Without the cards everything else that needs them is not proven, whatever the processor could do."""
    evidence = [f"planned: {name} ({key})" for key, name in planned_cards(run.plan).items()]
    evidence += [
        f"{row.name} ({row.card}): {show_mib(row.used_bytes)} planned of {show_mib(row.usable_bytes)}"
        for row in run.plan.budget.cards
    ]
    if OVERRIDE in run.lock.files:
        evidence.append(f"{OVERRIDE} is rendered, and compose read it with the other files before the build")
    if run.no_card is None:
        return Answer("passed", "every planned card is here", tuple(evidence))
    hint = "run it on the planned machine; `mlpack plan --host` and `device: cpu` plan for this one"
    return Answer("not_proven", run.no_card, tuple(evidence), hint)
