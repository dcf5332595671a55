"""The loop closes: what verify measured goes into the footprint, and the next prediction is what was measured."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.planner import build
from tests.verify import hand

from mlpack.errors import MlpackError
from mlpack.footprint import Footprint
from mlpack.plan import Plan
from mlpack.report import ServiceMeasurement
from mlpack.units import MIB
from mlpack.verify.calibrate import HEALTH_BYTES, calibrated

WEB: dict[str, Any] = {"server": "gunicorn", "app": "a:b", "interface": "wsgi", "models": ["m"], "workers": 2}


def plan_with(footprint: Footprint) -> Plan:
    """Two workers of one request each."""
    return build.plan({"web": {**WEB, "health": "/health", "concurrency": 1}}, {"web": footprint})


def as_measured(truth: Footprint, plan: Plan) -> ServiceMeasurement:
    """What a run of ``plan`` shows where each process is ``truth``."""
    service = plan.services["web"]
    workers = service.workers.value
    each = truth.sum_bytes("anonymous", "import", "load", "serve")
    asked = truth.sum_bytes("anonymous", "serve", per="request")
    rest = workers * each + 20 * MIB
    return ServiceMeasurement(
        service="web",
        limit_bytes=service.memory.limit_bytes.value,
        predicted_bytes=service.memory.peak_bytes,
        peak_need_bytes=0,
        peak_anonymous_bytes=rest + workers * service.concurrency.value * asked + HEALTH_BYTES,
        peak_mapped_bytes=truth.sum_bytes("mapped", "import", "load", "serve"),
        peak_kernel_bytes=0,
        oom_kills=0,
        refault_bytes=0,
        requests=200,
        rest_anonymous_bytes=rest,
        worker_anonymous_bytes=each,
        request_s=0.25,
    )


def scaled(footprint: Footprint, factors: list[float]) -> Footprint:
    """Every region by a factor of its own, as an estimate is off; but what only passes at a load, which a run of the
    whole service does not tell apart."""
    factors = [
        1.0 if region.per == "moment" else factor for region, factor in zip(footprint.regions, factors, strict=True)
    ]
    regions = tuple(
        region.model_copy(update={"bytes": round(factor * region.bytes), "lower_bytes": 0, "source": "estimated"})
        for region, factor in zip(footprint.regions, factors, strict=True)
    )
    return footprint.model_copy(update={"regions": regions, "source": "estimated", "widened": ("by hand",)})


@settings(max_examples=25, deadline=None)
@given(factors=st.lists(st.floats(0.3, 3.0), min_size=6, max_size=6))
def test_the_next_prediction_is_what_was_measured(factors: list[float]) -> None:
    truth = build.footprint()
    guess = scaled(truth, factors)
    planned = plan_with(guess)
    measured = as_measured(truth, planned)
    made = calibrated(guess, planned.services["web"], measured, at_once=4, inputs_sha256="now")
    after, wanted = plan_with(made).services["web"].memory, plan_with(truth).services["web"].memory
    assert after.serve_bytes == pytest.approx(wanted.serve_bytes, rel=0.01)
    assert after.mapped_bytes == pytest.approx(wanted.mapped_bytes, rel=0.01)
    assert (made.source, made.widened, made.inputs_sha256, made.request_s) == ("measured", (), "now", 0.25)


@pytest.mark.parametrize(
    ("change", "at_once", "words"),
    [
        ({"worker_anonymous_bytes": None}, 4, "could not be read"),
        ({"rest_anonymous_bytes": None}, 4, "could not be read"),
        ({}, 1, "fewer than the 2 planned"),
    ],
)
def test_a_run_that_does_not_tell_is_refused(change: dict[str, None], at_once: int, words: str) -> None:
    truth = build.footprint()
    planned = plan_with(truth)
    measured = as_measured(truth, planned).model_copy(update=change)
    with pytest.raises(MlpackError, match=words) as caught:
        calibrated(truth, planned.services["web"], measured, at_once=at_once, inputs_sha256="")
    assert "--measure" in (caught.value.hint or "")


def test_what_is_shared_after_the_load_is_left_to_measuring() -> None:
    truth = build.footprint()
    service = hand.service_plan().model_copy(update={"fork_point": "after-load"})
    with pytest.raises(MlpackError, match="before the fork"):
        calibrated(truth, service, as_measured(truth, plan_with(truth)), at_once=4, inputs_sha256="")
