"""Whole deployments, byte for byte as somebody read them; every number in them is read back and is the plan's.

``pytest tests/render/test_golden.py --update-golden`` rewrites tests/golden/<case>/files; read the difference.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.planner.test_golden import CASES, GOLDEN

from mlpack.plan import Plan, ServicePlan
from mlpack.render import render
from mlpack.servers import SERVERS
from mlpack.servers.wiring import environment
from mlpack.units import parse_bytes, parse_duration


def recorded(name: str) -> Plan:
    """The plan of case ``name``, which the planner's own test keeps true."""
    return Plan.model_validate_json((GOLDEN / name / "plan.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", CASES)
def test_files_are_the_ones_that_were_read(name: str, request: pytest.FixtureRequest) -> None:
    made = {artifact.path: artifact.text for artifact in render(recorded(name))}
    folder = GOLDEN / name / "files"
    if request.config.getoption("--update-golden"):
        for path in folder.rglob("*"):
            if path.is_file():
                path.unlink()
        for relative, text in made.items():
            (folder / relative).parent.mkdir(parents=True, exist_ok=True)
            (folder / relative).write_text(text, encoding="utf-8")
    found = {str(path.relative_to(folder)): path.read_text("utf-8") for path in folder.rglob("*") if path.is_file()}
    assert set(made) == set(found)
    for relative, text in made.items():
        assert text == found[relative], relative


@pytest.mark.parametrize("name", CASES)
def test_every_number_is_the_plans(name: str) -> None:
    plan = recorded(name)
    artifacts = render(plan)
    texts = {Path(artifact.path).name: artifact.text for artifact in artifacts}
    compose = yaml.safe_load(texts.get("compose.yaml", "services: {}"))["services"]
    for service, planned in plan.services.items():
        if planned.target == "systemd":
            same_unit(planned, texts[f"{plan.name}-{service}.service"])
        else:
            same_numbers(planned, compose[service])
        same_variables(plan, service, texts)
    assert set(compose) >= {name for name, planned in plan.services.items() if planned.target == "compose"}


def same_unit(planned: ServicePlan, text: str) -> None:
    """Limits and times of one unit."""
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    assert int(found["MemoryMax"]) == planned.memory.limit_bytes.value
    assert float(found["CPUQuota"].removesuffix("%")) / 100 == pytest.approx(planned.cpus.value)
    assert int(found["TasksMax"]) == planned.pids.value
    assert parse_duration(found["TimeoutStopSec"]) == planned.times.stop_grace_s.value
    if planned.health is not None:
        assert parse_duration(found["TimeoutStartSec"]) >= planned.health.start_period_s.value


def same_numbers(planned: ServicePlan, found: dict[str, Any]) -> None:
    """Limits, times, ports and checks of one service."""
    resources = found["deploy"]["resources"]
    assert parse_bytes(resources["limits"]["memory"]) == planned.memory.limit_bytes.value
    assert parse_bytes(found["memswap_limit"]) == planned.memory.limit_bytes.value
    assert parse_bytes(resources["reservations"]["memory"]) <= planned.memory.reservation_bytes.value
    assert float(resources["limits"]["cpus"]) == pytest.approx(planned.cpus.value)
    assert resources["limits"]["pids"] == planned.pids.value
    assert parse_bytes(found["tmpfs"][0].partition("size=")[2]) == planned.memory.tmp_bytes.value
    assert parse_duration(found["stop_grace_period"]) == planned.times.stop_grace_s.value
    assert found["deploy"].get("replicas", 1) == planned.replicas.value
    ports = [(port["target"], int(port["published"])) for port in found.get("ports", [])]
    assert ports[:1] == ([(planned.port, planned.publish)] if planned.publish else [])
    if planned.health is None:
        assert "healthcheck" not in found
        return
    check = found["healthcheck"]
    assert parse_duration(check["start_period"]) == planned.health.start_period_s.value
    assert parse_duration(check["start_interval"]) == planned.health.start_interval_s.value
    assert parse_duration(check["interval"]) == planned.health.interval_s.value
    assert parse_duration(check["timeout"]) == planned.health.timeout_s.value
    assert check["retries"] == planned.health.retries.value


def same_variables(plan: Plan, name: str, texts: dict[str, str]) -> None:
    """The env file holds what was planned, and no value with a password in it."""
    lines = [line for line in texts[f"{name}.env"].splitlines() if line and not line.startswith("#")]
    found = {line.partition("=")[0]: line.partition("=")[2].strip('"') for line in lines}
    planned = plan.services[name].environment
    own = plan.spec.services[name].env
    assert {key: found[key] for key in planned if key not in own} == {
        key: decided.value for key, decided in planned.items() if key not in own
    }
    for key in environment(plan, name):
        of = own[key].of if key in own else None
        if of in plan.services and own[key].fact == "url" and SERVERS[plan.services[of].server].FACTS.password:
            assert key not in found, "its URL has a password"
