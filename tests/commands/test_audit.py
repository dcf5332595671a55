"""``mlpack audit`` as it is called: exit codes, what is printed, what is written."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from mlpack.audit import RULES
from mlpack.commands.audit import audit_command
from mlpack.config.schema import schema
from mlpack.errors import ExitCode, MlpackError, UsageError

BEFORE = Path(__file__).parents[1] / "audit" / "before"


@pytest.fixture
def compose(tmp_path: Path) -> Path:
    shutil.copytree(BEFORE / "moderation", tmp_path / "moderation")
    return tmp_path / "moderation" / "docker-compose.yml"


@pytest.mark.parametrize(
    ("fail_on", "code"),
    [("error", ExitCode.FAILED), ("warning", ExitCode.FAILED), ("note", ExitCode.FAILED), ("never", ExitCode.OK)],
)
def test_exit_code_follows_severity(compose: Path, fail_on: str, code: ExitCode) -> None:
    assert audit_command([compose], None, fail_on=fail_on) == code


def test_notes_alone_pass_by_default(tmp_path: Path) -> None:
    path = tmp_path / "compose.yml"
    path.write_text("services: {llm: {image: 'ollama/ollama:0.9'}}\n", encoding="utf-8")
    assert audit_command([path], None) == ExitCode.OK
    assert audit_command([path], None, fail_on="note") == ExitCode.FAILED


def test_unknown_severity_is_a_usage_error(compose: Path) -> None:
    with pytest.raises(UsageError):
        audit_command([compose], None, fail_on="bad")


def test_the_table_shows_place_mend_reason_and_rule(compose: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit_command([compose], None)
    shown = capsys.readouterr().out
    for text in (
        "docker-compose.yml:11",
        "TRANSFORMERS_CACHE=/cache",
        "-> HF_HUB_CACHE",
        "[variable-deprecated",
        "1 error",
    ):
        assert text in shown


def test_json_and_sarif_hold_the_same_findings(
    compose: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audit_command([compose], None, sarif_file=tmp_path / "a.sarif", as_json=True)
    told = json.loads(capsys.readouterr().out)
    Draft202012Validator(schema("audit")).validate(told)
    rows = told["findings"]
    results = json.loads((tmp_path / "a.sarif").read_text(encoding="utf-8"))["runs"][0]["results"]
    assert [row["rule"] for row in rows] == [result["ruleId"] for result in results]
    assert len(rows) > 10


def test_the_override_merges_and_mends(compose: Path) -> None:
    audit_command([compose], None, override=True)
    path = compose.parent / "compose.override.yaml"
    web = yaml.safe_load(path.read_text(encoding="utf-8"))["services"]["web"]
    assert web["deploy"]["resources"]["limits"]["memory"] == web["memswap_limit"]
    assert web["environment"]["MKL_NUM_THREADS"] == "1"
    assert web["stop_grace_period"] == "40s"
    assert web["healthcheck"]["test"][:2] == ["CMD", "python"]


@pytest.mark.engine
def test_compose_takes_the_override(compose: Path) -> None:
    audit_command([compose], None, override=True)
    argv = ["docker", "compose", "-f", str(compose), "-f", str(compose.parent / "compose.override.yaml"), "config"]
    merged = yaml.safe_load(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    web = merged["services"]["web"]
    assert web["environment"]["OMP_NUM_THREADS"] == "1"
    assert web["environment"]["TRANSFORMERS_CACHE"] == "/cache"
    assert web["memswap_limit"] == web["deploy"]["resources"]["limits"]["memory"]


def test_an_override_of_somebody_else_is_left_alone(compose: Path) -> None:
    path = compose.parent / "compose.override.yaml"
    path.write_text("services: {}\n", encoding="utf-8")
    with pytest.raises(MlpackError, match="not mlpack's"):
        audit_command([compose], None, override=True)
    assert path.read_text(encoding="utf-8") == "services: {}\n"


def test_write_proposes_a_spec_that_loads_or_asks(compose: Path) -> None:
    with pytest.raises(UsageError) as raised:  # what the files do not show is asked for, all at once
        audit_command([compose], None, write=True)
    assert "--health" in str(raised.value)
    assert not (compose.parent / "mlpack.yaml").exists()


def test_rules_have_names_of_their_own() -> None:
    names = [rule.id for rule in RULES]
    assert len(names) == len(set(names))


def test_write_proposes_a_spec_for_one_web_service(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("flask\ngunicorn\ntorch\n", encoding="utf-8")
    (tmp_path / "app.py").write_text(
        "from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.get('/health')\ndef health():\n    return 'ok'\n",
        encoding="utf-8",
    )
    (tmp_path / "Dockerfile").write_text("FROM python:3.12-slim\nUSER 1\n", encoding="utf-8")
    path = tmp_path / "compose.yaml"
    command = "gunicorn app:app --bind 0.0.0.0:9000 --timeout 60"
    path.write_text(f"services: {{web: {{build: ., command: '{command}'}}}}\n", encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        audit_command([path], None, write=True)
    assert "--model" in str(raised.value)
    assert "mlpack init" in str(raised.value)
    assert "--app app:app" in str(raised.value)
    header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    audit_command([path], None, write=True)
    spec = yaml.safe_load((tmp_path / "mlpack.yaml").read_text(encoding="utf-8"))
    assert spec["services"]["web"]["port"] == 9000
    assert str(spec["build"]["python"]) == "3.12"
