"""Deployments from elsewhere that work: every finding about them is judged here, and none is there that is not true."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack.audit import audit, read_deployment

ELSEWHERE = Path(__file__).parent / "elsewhere"
JUDGED: dict[str, dict[tuple[str, str, str], str]] = {
    "flask-behind-nginx": {
        ("grace", "note", "command: gunicorn"): "true: requests may take 60 s, compose kills after 10",
    },
    "chat-and-api": {
        ("base-unpinned", "warning", "ollama/ollama"): "true: the next pull may be another server",
        ("health-missing", "note", "llm:"): "true: nobody asks whether it answers, and the api starts before it does",
        ("limit-missing", "note", "llm:"): "true: a larger model takes all memory of the machine",
    },
    "git-forge": {
        ("base-unpinned", "warning", "postgres:alpine"): "true: the next major release does not read this one's data",
        ("base-unpinned", "warning", "gitea:latest"): "true: the next pull may be a version that migrates the database",
        ("secret-in-environment", "warning", "DB_PASSWD=forge"): "true: the password stands in the file",
        ("secret-in-environment", "warning", "POSTGRES_PASSWORD=forge"): "true: the same one, at the database",
    },
    "full-stack": {},
    "tasks-with-flower": {
        ("secret-in-environment", "warning", "POSTGRES_PASSWORD=tasks"): "true: the password stands in the file",
    },
}
"""Folder -> (rule, severity, text on the line) of each finding -> whether it is true, and why."""


def test_there_are_five() -> None:
    assert {path.name for path in ELSEWHERE.iterdir() if path.is_dir()} == set(JUDGED)
    assert len(JUDGED) == 5
    assert all(words.startswith("true: ") for judged in JUDGED.values() for words in judged.values())


@pytest.mark.parametrize("name", JUDGED)
def test_no_finding_is_false(name: str) -> None:
    (path,) = (ELSEWHERE / name).glob("*compose.y*ml")
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [(one.rule, one.severity, lines[(one.line or 1) - 1]) for one, _ in audit(read_deployment((path,), None))]
    judged = list(JUDGED[name])
    unjudged = [one for one in found if not any(one[:2] == known[:2] and known[2] in one[2] for known in judged)]
    assert unjudged == []
    assert len(found) == len(judged)


@pytest.mark.parametrize("name", JUDGED)
def test_three_times_the_same(name: str) -> None:
    (path,) = (ELSEWHERE / name).glob("*compose.y*ml")
    assert len({repr(audit(read_deployment((path,), None))) for _ in range(3)}) == 1
