"""``mlpack verify`` shows the report and keeps it, beside the rendered files or where it is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.commands.conftest import Command

from mlpack.commands import verify as command
from mlpack.report import CheckResult, VerifyReport

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
    assert command.verify_command(project, ("prod",), "auto", None, None, as_json=False) == code
    assert status.upper() in capsys.readouterr().out
    assert VerifyReport.model_validate_json((project / "deploy/prod/verify.json").read_text()) == made
    assert mlpack("render", "prod", "--check").returncode == 0, "the report is not a rendered file"

    elsewhere = project / "report.json"
    command.verify_command(project, ("prod",), "auto", None, elsewhere, as_json=True)
    assert VerifyReport.model_validate_json(elsewhere.read_text()) == made
