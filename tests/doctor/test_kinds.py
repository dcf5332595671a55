"""Every kind of illness that doctor can name is named of some patient: here, recorded, or ill in a real container."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import mlpack.doctor
from mlpack.doctor import Facts, diagnose
from mlpack.doctor.facts import FileSystem, HealthFacts, HealthProbe
from mlpack.doctor.start import ENGINE, SYSTEMD
from mlpack.units import MIB
from mlpack.verify.cause import KINDS

SOURCES = sorted(Path(mlpack.doctor.__file__).parent.glob("*.py"))
RED = HealthFacts(
    status="unhealthy",
    failing_streak=3,
    interval_s=10,
    probes=(HealthProbe(exit_code=1, output="URLError: timed out", took_s=3),),
)
CANNOT = RED.model_copy(
    update={"probes": (HealthProbe(exit_code=-1, output="exec: curl: executable file not found", took_s=0),)}
)
UNIT: dict[str, Any] = {"kind": "unit", "status": "failed", "running": False}
DOWN: dict[str, Any] = {"status": "exited", "running": False, "exit_code": 1}
NEW: dict[str, Any] = {"status": "created", "running": False}
PATIENTS: dict[str, tuple[dict[str, Any], ...]] = {
    "oom": ({"oom_kills": 1}, {**DOWN, "oom_killed": True}),
    "host-oom": ({**DOWN, "kernel": ("oom-kill:constraint=CONSTRAINT_NONE,task=python3",)},),
    "memory-tight": ({"limit_bytes": 100 * MIB, "need_bytes": 98 * MIB},),
    "disk-full": ({"file_systems": (FileSystem(mount="/data", size_bytes=1000, free_bytes=0),)},),
    "shm-full": ({"file_systems": (FileSystem(mount="/dev/shm", size_bytes=1000, free_bytes=0),)},),
    "restart-loop": ({"restarts": 3}, {**UNIT, "error": "start-limit-hit", "exit_code": 1}),
    "stopped": ({**DOWN, "exit_code": 0}, {**DOWN, "exit_code": 143}, {**DOWN, "exit_code": 130}),
    "killed": ({**DOWN, "exit_code": 137},),
    "ended": ({**DOWN, "exit_code": 9},),
    "not-started": (NEW, {**NEW, "error": "something that nobody knows"}),
    "unit-timeout": ({**UNIT, "error": "timeout"},),
    "no-folder": ({**UNIT, "exit_code": 200},),
    "no-command": ({**UNIT, "exit_code": 203}, {**NEW, "error": 'exec: "x": executable file not found in $PATH'}),
    "no-user": ({**UNIT, "exit_code": 217},),
    "sandbox": ({**UNIT, "exit_code": 226},),
    "port-taken": ({**NEW, "error": "Bind for 0.0.0.0:80 failed: port is already allocated"},),
    "architecture": ({**DOWN, "image_architecture": "arm64", "machine_architecture": "amd64"},),
    "no-gpu": ({**NEW, "error": "could not select device driver 'nvidia' with capabilities: [[gpu]]"},),
    "mount": ({**NEW, "error": "error mounting '/srv/x' to rootfs: not a directory"},),
    "not-executable": ({**NEW, "error": 'exec: "/app/run.sh": permission denied'},),
    "health-cannot-run": ({"health": CANNOT},),
    "health-early": ({"health": RED, "age_s": 30.0, "cpu_cores": 0.9},),
    "never-ready": ({"health": RED, "age_s": 30.0, "cpu_cores": 0.0},),
    "hung": ({"health": RED, "age_s": 3600.0, "cpu_cores": 0.0},),
    "health-busy": ({"health": RED, "age_s": 3600.0, "cpu_cores": 0.9},),
    "app-error": ({**DOWN, "logs": ("Traceback (most recent call last):", "ValueError: corrupt")},),
}
"""Kind -> facts beside those of a container that runs well."""


def facts(**changes: Any) -> Facts:
    """A container that runs and has nothing, but for ``changes``."""
    return Facts.model_validate({"kind": "container", "name": "web", "status": "running", "running": True, **changes})


@pytest.mark.parametrize(("kind", "number"), [(k, n) for k, all_of in PATIENTS.items() for n in range(len(all_of))])
def test_the_root_is_named_first(kind: str, number: int) -> None:
    found = [one.kind for one in diagnose(facts(**PATIENTS[kind][number]))]
    assert found[:1] == [kind]


def test_one_that_runs_well_has_nothing() -> None:
    assert diagnose(facts(limit_bytes=100 * MIB, need_bytes=60 * MIB, restarts=1)) == ()


def test_no_kind_is_without_a_patient() -> None:
    """What the source can name, by its words; causes out of logs have their own tests (tests/verify/test_cause.py)."""
    own = {name for path in SOURCES for name in re.findall(r'\bkind="([a-z-]+)"', path.read_text(encoding="utf-8"))}
    own |= {kind for kind, _, _ in SYSTEMD.values()} | {kind for _, kind, _, _ in ENGINE}
    assert own - {"container", "unit"} - set(PATIENTS) == set()
    assert set(PATIENTS) <= own | set(KINDS) | {"disk-full"}
