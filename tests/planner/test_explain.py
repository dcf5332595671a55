"""Explanations and tables: every decision is there, and the rows add up."""

from __future__ import annotations

import pytest
from tests.planner.build import GUNICORN, plan

from mlpack.errors import UsageError
from mlpack.planner import explain, table

PLAN = plan({"web": GUNICORN, "queue": {"server": "redis"}})


def number(cell: str) -> int:
    """The MiB of a cell."""
    return int(cell.removesuffix(" MiB").replace(",", ""))


def test_every_decision_has_a_path_and_a_reason() -> None:
    rows = explain(PLAN)
    paths = [row.path for row in rows]
    assert len(set(paths)) == len(paths)
    assert {"services.web.workers", "services.web.memory.limit_bytes", "budget.cores"} <= set(paths)
    assert "services.web.environment.OMP_NUM_THREADS" in paths
    assert all(row.because for row in rows)


def test_one_path_or_a_branch() -> None:
    (row,) = explain(PLAN, "services.web.workers")
    assert (row.value, row.source) == ("4", "calculated")
    assert {row.path.split(".")[1] for row in explain(PLAN, "services.queue")} == {"queue"}


def test_a_misspelt_path_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="nothing was decided") as caught:
        explain(PLAN, "services.web.worker")
    assert caught.value.hint == "did you mean services.web.workers?"


def test_tables_have_even_rows_and_sums_that_add_up() -> None:
    for rows in (
        table.services(PLAN),
        table.memory(PLAN, "web"),
        table.memory(PLAN, "web", "load"),
        table.budget(PLAN),
    ):
        assert {len(row) for row in rows} == {len(rows[0])}
    *terms, peak, headroom, limit = table.memory(PLAN, "web")[1:]
    assert sum(number(row[3]) for row in terms) == pytest.approx(number(peak[3]), abs=len(terms))
    assert number(peak[3]) + number(headroom[3]) == pytest.approx(number(limit[3]), abs=1)
    last = {row[0]: row[2] for row in table.budget(PLAN)}
    assert number(last["all services"]) + number(last["free for more"]) + number(last["kept back"]) == pytest.approx(
        number(last["host"]), abs=2
    )


def test_times_read_from_the_inside_out() -> None:
    assert table.times(PLAN.services["web"].times) == "request 10 s < worker 30 s"
