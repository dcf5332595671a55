"""What the plan had decided: the services in a table, then each decision with its source and reason."""

from __future__ import annotations

from markupsafe import Markup

from mlpack.plan import Plan
from mlpack.planner import explain
from mlpack.planner import table as tables
from mlpack.reports.page.element import el, rows_table


def decisions_section(plan: Plan) -> Markup:
    """The plan; sums and reasons are folded away."""
    rows = tables.services(plan)
    return el(
        "section",
        el("h2", "Plan"),
        el("p", f"What mlpack had decided for {plan.name} {' '.join(plan.profiles)}, per replica.", class_="said"),
        rows_table(rows, class_="numbers"),
        [_service(plan, name) for name in plan.services],
        el("details", el("summary", "The machine's budget"), rows_table(tables.budget(plan), class_="numbers")),
    )


def _service(plan: Plan, name: str) -> Markup:
    start = f"services.{name}."
    rows = [
        (row.path.removeprefix(start), row.value, row.source, row.because)
        for row in explain(plan)
        if row.path.startswith(start)
    ]
    sums = tables.memory(plan, name)
    return el(
        "details",
        el("summary", "Why: every decision for ", el("b", name)),
        rows_table([("decision", "value", "source", "because"), *rows], class_="reasons"),
        el("p", "Its memory, term by term:", class_="said") if len(sums) > 1 else None,
        rows_table(sums, class_="numbers") if len(sums) > 1 else None,
    )
