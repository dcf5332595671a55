"""A plan for cards on a machine without them: what can be checked is, the rest is not proven, and nothing passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.planner.build import GUNICORN, host
from tests.planner.gpu_build import card, plan_on, with_cards
from tests.verify import hand
from tests.verify.test_conduct import Stopping, fake, passes

from mlpack.host import GpuFacts, GpuSetFacts, HostFacts, MigFacts
from mlpack.plan import Plan
from mlpack.reports.terminal import verdict
from mlpack.verify.cards import missing_cards
from mlpack.verify.checks import CHECKS, cards, checks_for
from mlpack.verify.conduct import conduct
from mlpack.verify.run import Run

HERE = with_cards(GpuSetFacts(devices=(card(24),)))


def planned() -> Plan:
    return plan_on(HERE, {"web": {**GUNICORN, "device": "gpu"}})


def run_of(plan: Plan, on: HostFacts, tmp_path: Path) -> Run:
    lock: Any = hand.lock(plan) if hasattr(hand, "lock") else type("L", (), {"plan": plan, "files": {}})()
    run = Run(root=tmp_path, lock=lock, launched=Stopping(), environ={}, say=lambda _: None)  # type: ignore[arg-type]
    run.no_card = missing_cards(plan, on)
    return run


def test_the_cards_are_told_apart_by_uuid() -> None:
    plan = planned()
    assert missing_cards(plan, HERE) is None
    assert missing_cards(plan, host()) == "planned for NVIDIA Test (GPU-24); this machine has no NVIDIA card"
    other = with_cards(GpuSetFacts(devices=(card(24, uuid="GPU-x"),)))
    assert "another NVIDIA card" in (missing_cards(plan, other) or "")
    assert missing_cards(plan_on(HERE, {"web": {**GUNICORN, "device": "cpu"}}), host()) is None


def test_an_instance_is_a_card() -> None:
    part = MigFacts(name="3g.20gb", uuid="MIG-1", memory_total_bytes=20 * 1024**3)
    split = with_cards(GpuSetFacts(devices=(card(40, mig=True, instances=(part,)),)))
    plan = plan_on(split, {"web": {**GUNICORN, "device": "gpu"}})
    assert missing_cards(plan, split) is None
    assert "3g.20gb (MIG-1)" in (missing_cards(plan, HERE) or "")


def test_a_plan_for_a_machine_that_was_not_probed_names_cards_by_number() -> None:
    unknown = with_cards(GpuSetFacts(devices=(card(24, uuid=None),)))
    plan = plan_on(unknown, {"web": {**GUNICORN, "device": "gpu"}})
    assert missing_cards(plan, HERE) is None
    assert missing_cards(plan, with_cards(GpuSetFacts(devices=(GpuFacts(vendor="amd", name="MI300"),)))) is not None


def test_without_the_card_only_the_build_is_proven_and_the_verdict_is_open(tmp_path: Path) -> None:
    checks = (fake("builds", (), passes), cards, fake("starts", ("builds",), passes), fake("load", (), passes))
    report = conduct(run_of(planned(), host(), tmp_path), host_differs=(), checks=checks)
    said = {one.name: one.status for one in report.checks}
    assert said == {
        "builds": "passed",
        "cards": "not_proven",
        "starts": "not_proven",
        "load": "not_proven",
        "teardown": "passed",
    }
    assert report.open
    assert verdict(report).startswith("NOT PROVEN")
    assert all(one.summary.startswith("needs the card") for one in report.checks if one.name in ("starts", "load"))


def test_with_the_card_every_check_is_asked(tmp_path: Path) -> None:
    checks = (fake("builds", (), passes), cards, fake("starts", ("builds",), passes))
    report = conduct(run_of(planned(), HERE, tmp_path), host_differs=(), checks=checks)
    assert {one.status for one in report.checks} == {"passed"}
    assert not report.open
    assert verdict(report).startswith("PASSED")


def test_a_failed_build_fails_even_without_the_card(tmp_path: Path) -> None:
    from tests.verify.test_conduct import fails

    report = conduct(run_of(planned(), host(), tmp_path), host_differs=(), checks=(fake("builds", (), fails), cards))
    assert not report.passed
    assert not report.open
    assert verdict(report).startswith("FAILED")


def test_the_check_is_asked_only_where_cards_are_planned() -> None:
    without = checks_for(hand.plan(), "compose")
    assert cards not in without
    assert checks_for(planned(), "compose")[:2] == (CHECKS["builds"], cards)


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_open_needs_the_cards_check(status: str) -> None:
    from mlpack.report import CheckResult, VerifyReport

    made = VerifyReport.model_validate(
        {
            "project": "p",
            "profiles": (),
            "launcher": "compose",
            "checks": (CheckResult.model_validate({"name": "cards", "status": status, "summary": ""}),),
        }
    )
    assert not made.open
