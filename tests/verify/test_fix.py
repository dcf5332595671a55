"""Patches of a report in mlpack.yaml: shown, applied with a backup, never half; those that it may not say are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.verify import hand

from mlpack.commands import fix
from mlpack.report import CheckResult, Patch, VerifyReport
from mlpack.units import GIB, MIB
from mlpack.verify.cause import Cause
from mlpack.verify.fix import fixed, patches_of
from mlpack.verify.remedies import REMEDIES, remedies

TEXT = """\
name: shop  # ours
services:
  web: {server: gunicorn, app: "app:app", interface: wsgi, port: 8000, timeout: 20s}
profiles:
  big: {services: {web: {timeout: 60s}}}
"""
LONGER = Patch(path="services.web.timeout", before="20s", after="40s", reason="killed")


def test_the_place_is_where_the_profile_says_it() -> None:
    assert "timeout: 40s}\n" in fixed(TEXT, (LONGER,), (), "mlpack.yaml").text
    inside = fixed(TEXT, (LONGER,), ("big",), "mlpack.yaml").text
    assert "web: {timeout: 40s}" in inside
    assert "port: 8000, timeout: 20s}" in inside


def test_what_a_spec_may_not_say_is_left_out_and_named() -> None:
    wrong = Patch(path="services.web.workers", before=None, after="many", reason="-")
    made = fixed(TEXT, (wrong, LONGER), (), "mlpack.yaml")
    assert [patch for patch, _ in made.refused] == [wrong]
    assert made.applied == (LONGER,)
    assert "many" not in made.text


def test_a_backup_stays_and_nothing_is_written_without_a_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mlpack.yaml").write_text(TEXT)
    assert not fix.apply(tmp_path, (), ("prod",))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlpack.yaml"]
    assert fix.apply(tmp_path, (LONGER,), ("prod",))
    assert (tmp_path / fix.BACKUP).read_text() == TEXT
    assert "timeout: 40s" in (tmp_path / "mlpack.yaml").read_text()
    shown = capsys.readouterr()
    assert "-  web:" in shown.out
    assert "+  web:" in shown.out
    assert "mlpack render prod" in shown.err


def test_patches_of_a_report_are_the_failed_checks_own_once_each() -> None:
    failed = CheckResult(name="load", status="failed", summary="", patches=(LONGER,))
    again = CheckResult(name="stops", status="failed", summary="", patches=(LONGER,))
    report = VerifyReport(project="shop", profiles=("prod",), launcher="compose", checks=(failed, again))
    assert patches_of(report) == (LONGER,)


@pytest.mark.parametrize(
    ("kind", "detail", "wanted"),
    [
        ("oom", None, [("services.web.memory", "384M")]),
        ("timeout-kill", None, [("services.web.timeout", "10s")]),
        ("missing-library", "libGL.so.1", [("build.apt", ("libgl1",))]),
        ("missing-library", "libnobody.so.9", []),
        ("architecture", None, [("build.platform", "linux/amd64")]),
        (
            "read-only",
            "/opt/hand/cache/x.bin",
            [("volumes.cache.mount", "/opt/hand/cache"), ("services.web.volumes", ("cache",))],
        ),
        ("read-only", "/etc/passwd", []),
        ("disk-full", "/tmp/big", []),
        ("fork-deadlock", None, []),
        ("app-error", None, []),
    ],
)
def test_a_cause_has_its_remedy(kind: str, detail: str | None, wanted: list[tuple[str, object]]) -> None:
    found = remedies(Cause("", (), None, kind, detail), hand.plan(), "web", hand.host())
    assert [(patch.path, patch.after) for patch in found] == wanted
    assert all(patch.reason for patch in found)


def test_memory_that_is_not_there_is_not_promised() -> None:
    service = hand.service_plan(memory=hand.memory_plan(7 * GIB))
    made = hand.plan(service)
    budget = made.budget.model_copy(update={"usable_bytes": hand.d(7 * GIB + 10 * MIB)})
    found = remedies(Cause("", (), None, "oom"), made.model_copy(update={"budget": budget}), "web", hand.host())
    assert found[0].path == "services.web.memory"  # no rows claim anything yet: there is room
    rows = made.budget.model_copy(update={"usable_bytes": hand.d(0)})
    found = remedies(Cause("", (), None, "oom"), made.model_copy(update={"budget": rows}), "web", hand.host())
    assert [(patch.path, patch.after) for patch in found] == [
        ("services.web.workers", 1),
        ("services.web.memory", "7168M"),
    ]


def test_preload_is_taken_back_where_the_fork_hangs() -> None:
    service = hand.service_plan().model_copy(update={"preload": hand.d(True)})
    (patch,) = remedies(Cause("", (), None, "fork-deadlock"), hand.plan(service), "web", hand.host())
    assert (patch.path, patch.after) == ("services.web.preload", False)


def test_every_remedy_belongs_to_a_kind_that_exists() -> None:
    from mlpack.verify.cause import KINDS

    assert REMEDIES.keys() <= set(KINDS)
