"""Recorded patients (containers of tests/e2e/doctors.py, as engine and kernel told of them) and their diagnoses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlpack.doctor import Facts, diagnose, parse

RECORDED = Path(__file__).parents[1] / "recorded" / "doctor"
ROOTS = {
    "architecture": ["architecture"],
    "disk-full": ["disk-full"],
    "healthy": [],
    "health-early": ["health-early"],
    "hung": ["hung"],
    "missing-library": ["missing-library"],
    "oom": ["oom"],
    "port-taken": ["port-taken"],
    "restart-loop": ["app-error", "restart-loop"],
}


def recorded(name: str) -> tuple[dict[str, Any], Facts]:
    """What was recorded, and the facts in it."""
    told = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    facts = parse.container(told["inspect"], told["now_s"])
    deaths, kills = parse.deaths(told["events"])
    more = {
        "logs": tuple(told["logs"]),
        "deaths": deaths,
        "oom_events": kills,
        "kernel": parse.kernel_lines(told["kernel"], facts.ident),
        "file_systems": parse.file_systems(told["df"]),
        "cpu_cores": parse.cpu_cores(told["cpu"]),
        "image_architecture": told["image_architecture"],
        "machine_architecture": told["machine_architecture"],
        "port_holders": tuple(told["port_holders"]),
        "oom_kills": told["oom_kills"],
    }
    return told, Facts.model_validate({**facts.model_dump(), **more})


def test_every_record_is_asked() -> None:
    assert {path.stem for path in RECORDED.glob("*.json")} == set(ROOTS)


@pytest.mark.parametrize("name", ROOTS)
def test_the_diagnoses_of(name: str) -> None:
    _, facts = recorded(name)
    assert [one.kind for one in diagnose(facts)] == ROOTS[name]


def test_a_memory_kill_is_counted_by_engine_group_and_kernel() -> None:
    told, facts = recorded("oom")
    (one,) = diagnose(facts)
    assert one.sureness == "certain"
    words = "\n".join(one.evidence)
    assert f"counts {told['oom_kills']} kills (oom_kill)" in words
    assert "the engine says OOMKilled" in words
    assert "CONSTRAINT_MEMCG" in words
    assert "Killed process" in words
    assert "its memory limit is 128 MiB" in words


def test_without_the_kernels_word_the_same_is_known() -> None:
    _, facts = recorded("oom")
    blind = facts.model_copy(update={"kernel": (), "oom_kills": None, "oom_events": 0})
    assert [one.kind for one in diagnose(blind)] == ["oom"]
    seen = blind.model_copy(update={"oom_killed": False})
    assert [one.kind for one in diagnose(seen)] == [], "a SIGKILL in gunicorn's log alone is no memory kill"


def test_the_machines_own_lack_of_memory_is_another_illness() -> None:
    _, facts = recorded("oom")
    lines = tuple(line.replace("CONSTRAINT_MEMCG", "CONSTRAINT_NONE") for line in facts.kernel)
    (one,) = diagnose(facts.model_copy(update={"kernel": lines}))
    assert one.kind == "host-oom"
    assert "the machine itself ran out of memory" in one.words


def test_who_holds_the_port_is_named() -> None:
    told, facts = recorded("port-taken")
    assert facts.status == "created"
    assert told["port_holders"][0] in diagnose(facts)[0].evidence


def test_a_hang_and_an_early_check_differ_in_work_and_past() -> None:
    _, facts = recorded("hung")
    assert diagnose(facts.model_copy(update={"cpu_cores": 0.9}))[0].kind == "health-busy"
    _, facts = recorded("health-early")
    assert diagnose(facts.model_copy(update={"cpu_cores": 0.0}))[0].kind == "never-ready"


def test_stopped_on_purpose_is_not_killed_for_memory() -> None:
    _, facts = recorded("missing-library")
    quiet = facts.model_copy(update={"logs": (), "exit_code": 143})
    assert [(one.kind, one.sureness) for one in diagnose(quiet)] == [("stopped", "likely")]
    assert [one.kind for one in diagnose(quiet.model_copy(update={"exit_code": 137}))] == ["killed"]
    assert [one.kind for one in diagnose(quiet.model_copy(update={"exit_code": 9}))] == ["ended"]
