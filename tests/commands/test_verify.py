"""``mlpack verify`` shows the report and keeps it, beside the rendered files or where it is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.commands.conftest import Command

from mlpack.commands import verify as command
from mlpack.errors import UsageError
from mlpack.report import CheckResult, Patch, VerifyReport

pytestmark = pytest.mark.slow

HOST = Path(__file__).parent.parent / "hosts" / "ci-2c-24g.json"


@pytest.mark.parametrize("outcome", [("passed", 0), ("failed", 1)])
def test_the_report_is_shown_and_kept(
    mlpack: Command,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    outcome: tuple[str, int],
) -> None:
    status, code = outcome
    assert mlpack("render", "prod", "--host", str(HOST)).returncode == 0
    check = CheckResult.model_validate({"name": "answers", "status": status, "summary": "asked"})
    made = VerifyReport(project="tiny", profiles=("prod",), launcher="process", checks=(check,))
    monkeypatch.setattr(command, "verify", lambda *_, **__: made)
    assert command.verify_command(project, ("prod",), "auto", None, (), as_json=False) == code
    assert status.upper() in capsys.readouterr().out
    assert VerifyReport.model_validate_json((project / "deploy/prod/verify.json").read_text()) == made
    assert mlpack("render", "prod", "--check").returncode == 0, "the report is not a rendered file"

    elsewhere = project / "report.json"
    command.verify_command(project, ("prod",), "auto", None, (elsewhere,), as_json=True)
    assert VerifyReport.model_validate_json(elsewhere.read_text()) == made


def test_without_the_planned_card_the_exit_code_is_its_own(
    mlpack: Command, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mlpack("render", "prod", "--host", str(HOST)).returncode == 0
    built = CheckResult(name="builds", status="passed", summary="built")
    cards = CheckResult(name="cards", status="not_proven", summary="no NVIDIA card")
    made = VerifyReport(project="tiny", profiles=("prod",), launcher="compose", checks=(built, cards))
    monkeypatch.setattr(command, "verify", lambda *_, **__: made)
    assert command.verify_command(project, ("prod",), "auto", None, (), as_json=False) == 4
    assert capsys.readouterr().out.startswith("NOT PROVEN")


def test_a_plan_for_a_card_is_rendered_and_current(mlpack: Command, project: Path) -> None:
    """plan, render and --check for a recorded machine with an A10G; the processor's deployment has no such file."""
    card = HOST.parent / "a10g.json"
    newest = mlpack("plan", "prod", "gpu", "--host", str(card))
    assert newest.returncode == 1
    assert "torch brings CUDA 13.0, driver 570.133.20 ends at CUDA 12.8" in newest.stderr
    (project / "requirements.txt").write_text("torch==2.9.1\ntransformers>=5\n")
    planned = mlpack("plan", "prod", "gpu", "--host", str(card))
    assert planned.returncode == 0, planned.stderr
    assert "Memory of one worker of web on its card" in planned.stdout
    assert "GPU-6f1c1c1e-0000-4000-8000-00000000a10a" in planned.stdout
    assert mlpack("render", "prod", "gpu", "--host", str(card)).returncode == 0
    override = (project / "deploy/prod-gpu/compose.gpu.yaml").read_text()
    assert "device_ids: [GPU-6f1c1c1e-0000-4000-8000-00000000a10a]" in override
    assert mlpack("render", "prod", "gpu", "--check").returncode == 0
    refused = mlpack("plan", "prod", "gpu", "--host", str(HOST))
    assert refused.returncode == 1
    assert "this host has no NVIDIA card" in refused.stderr


def test_every_form_is_written_and_an_unknown_one_refused_before_anything_runs(
    mlpack: Command, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mlpack("render", "prod", "--host", str(HOST)).returncode == 0
    patch = Patch(path="services.web.memory", before=None, after="1G", reason="killed")
    check = CheckResult(name="memory", status="failed", summary="too little", hint="more", patches=(patch,))
    made = VerifyReport(project="tiny", profiles=("prod",), launcher="process", checks=(check,))
    ran: list[object] = []

    def verify(*given: object, **_: object) -> VerifyReport:
        ran.append(given)
        return made

    monkeypatch.setattr(command, "verify", verify)
    files = tuple(tmp_path / name for name in ("r.html", "r.xml", "r.md"))
    with pytest.raises(UsageError, match=r"a report cannot be a \.pdf"):
        command.verify_command(project, ("prod",), "auto", None, (*files, tmp_path / "r.pdf"), as_json=False)
    assert ran == []
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.parent))
    command.verify_command(project, ("prod",), "auto", None, files, as_json=False, annotate="github")
    assert "Why: every decision" in files[0].read_text(), "the page has the plan"
    assert files[1].read_text().startswith("<?xml")
    assert files[2].read_text().startswith("## ")
    assert (project / "deploy/prod/verify.json").is_file(), "no JSON was named: it is kept where it always is"
    line = next(n for n, text in enumerate((project / "mlpack.yaml").read_text().splitlines(), 1) if text == "  web:")
    assert f"::error file=tiny/mlpack.yaml,line={line},title=mlpack memory::too little%0A" in capsys.readouterr().err


def test_gitlab_reads_a_file(
    mlpack: Command, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mlpack("render", "prod", "--host", str(HOST)).returncode == 0
    check = CheckResult(name="load", status="failed", summary="slow")
    made = VerifyReport(project="tiny", profiles=("prod",), launcher="process", checks=(check,))
    monkeypatch.setattr(command, "verify", lambda *_, **__: made)
    monkeypatch.chdir(project)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    assert command.verify_command(project, ("prod",), "auto", None, (), as_json=True, annotate="gitlab") == 1
    (one,) = json.loads((project / "gl-code-quality-report.json").read_text())
    assert (one["check_name"], one["location"]["path"]) == ("mlpack-load", "mlpack.yaml")
    assert VerifyReport.model_validate_json(capsys.readouterr().out) == made, "stdout stays the result"
    with pytest.raises(UsageError, match="nobody reads annotations"):
        command.verify_command(project, ("prod",), "auto", None, (), as_json=True, annotate="travis")
