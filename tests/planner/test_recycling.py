"""Workers are replaced only where growth was measured or the user asks, and the cost is said."""

from __future__ import annotations

from typing import Any

import pytest
from tests.planner.build import CELERY, GUNICORN, UVICORN, footprint, host, plan

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.servers import celery, gunicorn
from mlpack.units import GIB, MIB


def planned(service: dict[str, Any], **print_: Any) -> Plan:
    """One service on a machine with memory to spare."""
    return plan({"web": service}, {"web": footprint(**print_)}, on=host(64 * GIB, 4))


def codes(made: Plan) -> set[str]:
    return {finding.code for finding in made.findings}


def test_nobody_asked_and_nothing_grows() -> None:
    made = planned(GUNICORN)
    assert made.services["web"].recycle is None
    assert "max_requests" not in gunicorn.config(made, "web")
    assert planned(GUNICORN, growth_bytes_per_request=0).services["web"].recycle is None


def test_an_estimate_of_growth_is_no_reason() -> None:
    assert planned(GUNICORN, growth_bytes_per_request=1 * MIB, source="estimated").services["web"].recycle is None


def test_measured_growth_lasts_for_half_of_the_headroom() -> None:
    made = planned({**GUNICORN, "workers": 2}, growth_bytes_per_request=10_000)
    web = made.services["web"]
    assert web.recycle is not None
    assert web.recycle.source == "measured"
    grown = 2 * web.recycle.value * 10_000
    headroom = web.memory.limit_bytes.value - web.memory.peak_bytes
    assert 0.4 * headroom < grown <= 0.5 * headroom
    assert web.recycle_jitter is not None
    assert 2 * (web.recycle.value + web.recycle_jitter.value) * 10_000 < headroom, "jitter stays within it too"
    settings = gunicorn.config(made, "web")
    assert settings["max_requests"] == web.recycle.value
    assert settings["max_requests_jitter"] == web.recycle_jitter.value


@pytest.mark.parametrize("growth", [0.001, 5e-324])
def test_growth_that_takes_years_is_none(growth: float) -> None:
    assert planned(GUNICORN, growth_bytes_per_request=growth).services["web"].recycle is None


def test_what_the_user_asks_is_kept_and_its_cost_is_said() -> None:
    made = planned({**GUNICORN, "recycle": 500, "workers": 2}, load_s=30.0)
    web = made.services["web"]
    assert web.recycle is not None
    assert (web.recycle.value, web.recycle.source) == (500, "user")
    assert "loads for 30 s" in web.recycle.because
    assert "recycle-costs" in codes(made), "30 s of loading for each 500 requests of about half a second is 11 %"
    assert "recycle-costs" not in codes(planned({**GUNICORN, "recycle": 5000, "workers": 2}, load_s=30.0))


def test_one_worker_alone_leaves_a_gap() -> None:
    assert "recycle-pauses" in codes(planned({**GUNICORN, "recycle": 5000, "workers": 1}))
    assert "recycle-pauses" not in codes(planned({**GUNICORN, "recycle": 5000, "workers": 2}))


def test_a_preloaded_worker_is_forked_not_loaded() -> None:
    made = planned({**GUNICORN, "recycle": 10, "workers": 2, "preload": True}, fork_proven=True, load_s=30.0)
    assert "recycle-costs" not in codes(made)
    assert "loads nothing" in (made.services["web"].recycle or pytest.fail("none")).because


def test_celery_replaces_its_children() -> None:
    made = plan({"web": {**CELERY, "recycle": 50}}, {"web": footprint()}, on=host(64 * GIB, 4))
    argv = celery.argv(made, "web")
    assert argv[argv.index("--max-tasks-per-child") + 1] == "50"
    assert argv.index("--max-tasks-per-child") < argv.index("--")
    assert "--max-tasks-per-child" not in celery.argv(plan({"web": CELERY}, {"web": footprint()}), "web")


def test_a_server_that_cannot_is_refused_or_named() -> None:
    with pytest.raises(SpecError) as caught:
        planned({**UVICORN, "recycle": 100})
    assert caught.value.where == "services.web.recycle"
    assert "growth-unstopped" in codes(planned(UVICORN, growth_bytes_per_request=10_000))
