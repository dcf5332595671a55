"""Every plan renders in every target and reads back as the plan; what cannot be rendered is refused by name."""

from __future__ import annotations

import ast
import json
import shlex
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given, settings
from tests.properties.test_planner import System, hosts, planned, systems

from mlpack.errors import SpecError
from mlpack.host import HostFacts
from mlpack.plan import Plan, ServicePlan
from mlpack.render import render
from mlpack.servers import celery, gunicorn
from mlpack.spec import Build, Spec, TargetName
from mlpack.targets import TARGETS
from mlpack.units import parse_bytes, parse_duration


def buildable(system: System) -> System:
    """The system with what its image is made of."""
    return (system[0].model_copy(update={"build": Build(requirements="requirements.txt")}), system[1], system[2])


def rendered(plan: Plan) -> dict[str, str] | None:
    """Path -> text; None where the plan names something that mlpack says it cannot render yet."""
    try:
        return {artifact.path: artifact.text for artifact in render(plan)}
    except SpecError as error:
        assert "cannot render" in error.what or error.what == "a unit runs one copy of a service"
        assert error.where
        assert error.hint
        return None


@settings(max_examples=30, deadline=None)
@given(hosts(), systems())
def test_a_plan_reads_back_from_its_compose_file(on: HostFacts, system: System) -> None:
    plan = planned(on, buildable(system))
    made = rendered(plan) if plan is not None else None
    if plan is None or made is None:
        return
    assert made == rendered(plan), "same plan, same bytes"
    compose = yaml.safe_load(made["deploy/prod/compose.yaml"])
    assert set(plan.services) <= set(compose["services"])
    for name, service in plan.services.items():
        found = compose["services"][name]
        resources = found["deploy"]["resources"]
        assert parse_bytes(resources["limits"]["memory"]) == service.memory.limit_bytes.value
        assert parse_bytes(resources["reservations"]["memory"]) == service.memory.reservation_bytes.value
        assert float(resources["limits"]["cpus"]) == pytest.approx(service.cpus.value, abs=0.01)
        assert resources["limits"]["pids"] == service.pids.value
        assert parse_duration(found["stop_grace_period"]) == service.times.stop_grace_s.value
        assert found["deploy"].get("replicas", 1) == service.replicas.value
        ports = {port["target"]: int(port["published"]) for port in found.get("ports", [])}
        assert service.publish is None or service.publish in ports.values()
        if service.health is not None and "healthcheck" in found:
            check = found["healthcheck"]
            assert parse_duration(check["start_period"]) == service.health.start_period_s.value
            assert check["retries"] == service.health.retries.value
        if service.server == "gunicorn":
            text = made[f"deploy/prod/{name}.gunicorn.conf.py"]
            assert settings_of(text) == gunicorn.config(plan, name)
            in_turn = service.load_in_turn
            assert ("def post_fork" in text) == (in_turn is not None and in_turn.value)
        command = [word.replace("$$", "$") for word in found.get("command") or ()]
        if not command and "build" in found:
            lines = made[found["build"]["dockerfile"]].splitlines()
            command = json.loads(next(line for line in lines if line.startswith("CMD ")).removeprefix("CMD "))
        if service.server == "celery":
            assert command == list(celery.argv(plan, name))
        numbers_in(command, service)
        env = variables(made[f"deploy/prod/{name}.env"])
        assert {key: env[key] for key in service.environment} == {k: v.value for k, v in service.environment.items()}


def as_units(system: System) -> System:
    """The system on one host without containers: what no unit can be is left to the tests of its refusal."""
    services = {
        name: service.model_copy(
            update={"replicas": None, **({"server": "caddy"} if service.server == "nginx" else {})}
        )
        for name, service in system[0].services.items()
    }
    whole = system[0].model_copy(update={"target": "systemd", "services": services})
    return buildable((Spec.model_validate(whole.model_dump()), system[1], system[2]))


@settings(max_examples=30, deadline=None)
@given(hosts(), systems())
def test_a_plan_reads_back_from_its_units(on: HostFacts, system: System) -> None:
    plan = planned(on, as_units(system))
    if plan is None:
        return
    made = rendered(plan)
    assert made is not None
    assert made == rendered(plan), "same plan, same bytes"
    for name, service in plan.services.items():
        unit = unit_of(made[f"deploy/prod/systemd/{plan.name}-{name}.service"])
        assert int(unit["MemoryMax"]) == service.memory.limit_bytes.value
        assert unit["MemorySwapMax"] == "0"
        assert float(unit["CPUQuota"].removesuffix("%")) / 100 == pytest.approx(service.cpus.value, abs=0.005)
        assert int(unit["TasksMax"]) == service.pids.value
        assert parse_duration(unit["TimeoutStopSec"]) == service.times.stop_grace_s.value
        if service.health is not None:
            assert parse_duration(unit["TimeoutStartSec"]) >= service.health.start_period_s.value
        numbers_in(shlex.split(unit["ExecStart"].removeprefix(":")), service)
        env = variables(made[f"deploy/prod/systemd/{name}.env"])
        assert {key: env[key] for key in service.environment} == {k: v.value for k, v in service.environment.items()}
        if service.server == "gunicorn":
            assert settings_of(made[f"deploy/prod/{name}.gunicorn.conf.py"]) == gunicorn.config(plan, name)


def unit_of(text: str) -> dict[str, str]:
    """The last value of every key of a unit file."""
    lines = [line for line in text.splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def variables(text: str) -> dict[str, str]:
    """The assignments of an environment file; no test's value here holds what its quoting would change."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {key: value.strip('"') for key, value in (line.split("=", 1) for line in lines)}


def numbers_in(words: list[str], service: ServicePlan) -> None:
    """Workers and time limits that a command carries are the plan's; gunicorn's are in its settings file."""
    times = service.times

    def flag(name: str) -> Any:
        return words[words.index(name) + 1] if name in words else None

    if service.server == "uvicorn":
        assert flag("--workers") == (str(service.workers.value) if service.workers.value > 1 else None)
        assert flag("--timeout-graceful-shutdown") == str(times.graceful_s.value)
    if service.server == "celery":
        assert flag("--concurrency") == str(service.workers.value)
        assert flag("--soft-time-limit") == (str(times.soft_s.value) if times.soft_s else None)
        assert flag("--time-limit") == (str(times.hard_s.value) if times.hard_s else None)
        assert flag("--max-tasks-per-child") == (str(service.recycle.value) if service.recycle else None)


def settings_of(text: str) -> dict[str, object]:
    """The plain assignments of a settings file; the lock of workers that load in turn is none."""
    return {
        statement.targets[0].id: ast.literal_eval(statement.value)
        for statement in ast.parse(text).body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and not isinstance(statement.value, ast.Call)
    }


@settings(max_examples=5, deadline=None)
@given(hosts(), systems())
def test_a_target_renders_or_says_that_it_cannot(on: HostFacts, system: System) -> None:
    for target in get_args(TargetName):
        aimed = system[0].model_copy(update={"target": target})
        plan = planned(on, buildable((aimed, system[1], system[2])))
        if plan is None:
            continue
        assert {service.target for service in plan.services.values()} == {target}
        made = rendered(plan)
        assert target in TARGETS or made is None
