"""What a plan says of the footprint that it rests on: beyond what was measured, or wide."""

from __future__ import annotations

from typing import Any

import pytest
from tests.planner.build import GUNICORN, footprint, plan, region

from mlpack.report import Finding


def found(code: str, service: dict[str, Any], **print_: Any) -> list[Finding]:
    """The findings of ``code`` in the plan of one service on four cores."""
    made = plan({"web": {**GUNICORN, **service}}, {"web": footprint(**print_)})
    return [finding for finding in made.findings if finding.code == code]


@pytest.mark.parametrize(("measured", "told"), [(1, True), (2, True), (4, False), (8, False), (None, False)])
def test_more_threads_than_were_measured_are_said(measured: int | None, told: bool) -> None:
    notes = found("threads-extrapolated", {"workers": 1, "threads": 4}, threads=measured)
    assert [note.where for note in notes] == ["services.web.threads"] * told
    if told:
        assert f"measured with {measured} thread" in notes[0].message
        assert "planned for 4" in notes[0].message
        assert notes[0].severity == "note"


@pytest.mark.parametrize(("measured", "told"), [(1, True), (4, False)])
def test_more_requests_at_once_than_were_measured_are_said(measured: int, told: bool) -> None:
    notes = found("concurrency-extrapolated", {"workers": 1, "concurrency": 4}, concurrency=measured)
    assert len(notes) == told


def requests_of(mib: float) -> dict[str, Any]:
    """An estimate: 160 MiB that stay, and ``mib`` for each request at once."""
    stay = region("weights", "load", "anonymous", "process", 160)
    return {"regions": (stay, region("activations", "serve", "anonymous", "request", mib)), "source": "estimated"}


def test_several_requests_with_big_activations_make_an_estimate_wide() -> None:
    """Four at once of 100 MiB are most of the sum; of 5 MiB they are not, and one at once is no question."""
    (big,) = found("estimate-wide", {"workers": 1, "concurrency": 4}, **requests_of(100))
    assert "4 requests at once in each worker are planned as 4 x 100 MiB" in big.message
    assert not found("estimate-wide", {"workers": 1, "concurrency": 4}, **requests_of(5))
    assert not found("estimate-wide", {"workers": 1, "concurrency": 1}, **requests_of(100))
    measured = {**requests_of(100), "source": "measured"}
    assert not found("estimate-wide", {"workers": 1, "concurrency": 4}, **measured, concurrency=4)
