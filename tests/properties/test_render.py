"""Every plan renders in every target and reads back as the plan; what cannot be rendered is refused by name."""

from __future__ import annotations

import ast
from typing import get_args

import pytest
import yaml
from hypothesis import given, settings
from tests.properties.test_planner import System, hosts, planned, systems

from mlpack.errors import SpecError
from mlpack.host import HostFacts
from mlpack.plan import Plan
from mlpack.render import render
from mlpack.servers import celery, gunicorn
from mlpack.spec import Build, TargetName
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
        if service.server == "celery":
            argv = celery.argv(plan, name)
            assert [word.replace("$$", "$") for word in found["command"]] == list(argv)


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
