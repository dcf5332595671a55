"""Units: every number of the plan read back from the files; order, users, secrets; what no unit can do is refused."""

from __future__ import annotations

import configparser
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.artifacts import texts, tool, write_files
from tests.planner.build import CELERY, UVICORN
from tests.planner.build import plan as make_plan

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.process import run

BUILD = {"requirements": "requirements.txt"}
SERVICES: dict[str, dict[str, Any]] = {
    "web": {**UVICORN, "models": [], "volumes": ["data"], "env": {"BROKER": {"of": "queue", "fact": "url"}}},
    "worker": {
        **CELERY,
        "volumes": ["data"],
        "env": {
            "BROKER": {"of": "queue", "fact": "url"},
            "READY": {"of": "worker", "fact": "ready"},
            "AGAIN_S": {"of": "worker", "fact": "redelivery"},
        },
    },
    "queue": {"server": "redis"},
    "proxy": {"server": "caddy", "to": "web", "domain": "shop.localhost"},
}


def made(services: dict[str, dict[str, Any]] = SERVICES, **more: Any) -> Plan:
    """The plan of ``services``, all of them units."""
    values: dict[str, Any] = {"target": "systemd", "build": BUILD, "volumes": {"data": {}}, **more}
    return make_plan(services, **values)


def hybrid() -> Plan:
    """The worker as a unit, the rest in containers."""
    services = {**SERVICES, "worker": {**SERVICES["worker"], "target": "systemd"}}
    return make_plan(services, build=BUILD, volumes={"data": {}})


def unit(plan: Plan, name: str) -> dict[str, list[str]]:
    """Every key of the unit of service ``name``, with its values."""
    found: dict[str, list[str]] = {}
    for line in texts(plan)[f"shop-{name}.service"].splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("name", SERVICES)
def test_every_number_is_the_plans(name: str) -> None:
    plan = made()
    service, lines = plan.services[name], unit(plan, name)
    assert lines["MemoryMax"] == [str(service.memory.limit_bytes.value)]
    assert lines["MemorySwapMax"] == ["0"]
    assert float(lines["CPUQuota"][0].removesuffix("%")) / 100 == pytest.approx(service.cpus.value)
    assert lines["TasksMax"] == [str(service.pids.value)]
    assert lines["TimeoutStopSec"] == [f"{service.times.stop_grace_s.value}s"]
    if service.health is not None:
        assert int(lines["TimeoutStartSec"][0].removesuffix("s")) > service.health.start_period_s.value


def test_started_means_that_models_are_loaded() -> None:
    plan = made()
    (web,), (worker,) = unit(plan, "web")["ExecStartPost"], unit(plan, "worker")["ExecStartPost"]
    assert web.endswith("8000 /health")
    assert worker.endswith(f"/run/shop-worker {plan.services['worker'].workers.value}")
    assert unit(plan, "worker")["RuntimeDirectory"] == ["shop-worker"]
    assert 'READY="/run/shop-worker"' in texts(plan)["worker.env"]
    assert "ExecStartPost" not in unit(plan, "queue")


def test_redelivery_reaches_the_app() -> None:
    plan = made()
    redelivery = plan.services["worker"].times.redelivery_s
    assert redelivery is not None
    assert f'AGAIN_S="{redelivery.value}"' in texts(plan)["worker.env"]


def test_code_runs_as_the_projects_user_programs_as_their_own() -> None:
    plan = made()
    assert unit(plan, "web")["User"] == unit(plan, "worker")["User"] == ["shop"]
    assert unit(plan, "queue")["DynamicUser"] == unit(plan, "proxy")["DynamicUser"] == ["yes"]
    named = made(host={"user": "alice", "python": "/home/alice/env/bin/python"})
    assert unit(named, "worker")["User"] == ["alice"]
    assert unit(named, "worker")["ExecStart"][0].startswith(":/home/alice/env/bin/python -m celery ")
    assert unit(named, "worker")["ProtectHome"] == ["read-only"]
    assert unit(plan, "worker")["ProtectHome"] == ["yes"]


def test_only_the_proxy_is_open_to_others() -> None:
    plan = made(settings={"publish_host": "0.0.0.0"})
    assert " --host 127.0.0.1 " in unit(plan, "web")["ExecStart"][0]
    assert " --bind 127.0.0.1 " in unit(plan, "queue")["ExecStart"][0]
    assert unit(plan, "proxy")["AmbientCapabilities"] == ["CAP_NET_BIND_SERVICE"]
    assert unit(plan, "web")["CapabilityBoundingSet"] == [""]


def test_no_password_is_in_a_rendered_file_or_in_arguments() -> None:
    rendered = texts(made())
    assert "BROKER" not in rendered["web.env"]
    assert "env_line BROKER redis://: queue-password @127.0.0.1:6379/0" in rendered["install.sh"]
    assert "requirepass" in rendered["shop-queue.service"]
    assert "REDISCLI_AUTH" in rendered["shop-queue.service"]


def test_a_killed_child_ends_no_unit_with_a_master() -> None:
    assert unit(made(), "worker")["OOMPolicy"] == ["continue"]
    assert unit(made(), "queue")["OOMPolicy"] == ["stop"]


def test_hybrid_shares_one_folder_and_a_queue_on_loopback() -> None:
    rendered = texts(hybrid())
    compose = yaml.safe_load(rendered["compose.yaml"])
    assert set(compose["services"]) == {"web", "queue", "proxy", "mlpack-folders"}
    (port,) = compose["services"]["queue"]["ports"]
    assert (port["host_ip"], port["published"]) == ("127.0.0.1", "6379")
    (mount,) = compose["services"]["web"]["volumes"]
    assert mount["source"] == mount["target"] == "/opt/shop/data"
    assert "env_line BROKER redis://: queue-password @127.0.0.1:6379/0" in rendered["install.sh"]
    assert "uid=10001" in rendered["install.sh"]
    assert "shop-worker.service" in rendered
    assert "shop-queue.service" not in rendered
    assert "worker.env" in rendered
    assert unit(hybrid(), "worker")["After"] == ["network-online.target docker.service"]


def test_a_user_of_the_hosts_own_owns_what_both_sides_share() -> None:
    services = {**SERVICES, "worker": {**SERVICES["worker"], "target": "systemd"}}
    own = {"user": "alice", "uid": 2001}
    rendered = texts(make_plan(services, build=BUILD, volumes={"data": {}}, host=own))
    assert "useradd --uid 2001 --gid 2001" in rendered["Dockerfile"]
    assert "USER 2001:2001" in rendered["Dockerfile"]
    folders = yaml.safe_load(rendered["compose.yaml"])["services"]["mlpack-folders"]
    assert folders["command"][1] == "/opt/shop/data"
    assert folders["command"][-4:] == ["-h", "2001:2001", "{}", "+"]
    assert "\nuid=2001\n" in rendered["deploy.sh"]
    assert "\nuid=2001 " in rendered["install.sh"]
    assert "10001" not in "".join(rendered.values())


def test_containers_only_publish_no_queue() -> None:
    compose = yaml.safe_load(texts(make_plan(SERVICES, build=BUILD, volumes={"data": {}}))["compose.yaml"])
    assert "ports" not in compose["services"]["queue"]


@pytest.mark.parametrize(
    ("services", "more", "named"),
    [
        ({"web": {**UVICORN, "replicas": 2}, "proxy": {"server": "caddy", "to": "web"}}, {}, "one copy"),
        ({"web": {**UVICORN, "image": "mine:1"}}, {}, "no image"),
        ({"web": UVICORN}, {"models": {"m": {"hub": "a/b"}}}, "not from a hub"),
        ({"web": UVICORN}, {"build": {}}, "what to install on the host"),
        ({"web": UVICORN}, {"host": {"user": "a b"}}, "no user's name"),
        ({"web": UVICORN}, {"root": "/opt/a\nb"}, "line break"),
    ],
)
def test_what_no_unit_can_do_is_refused(services: dict[str, Any], more: dict[str, Any], named: str) -> None:
    with pytest.raises(SpecError, match=named):
        texts(made(services, **more))


def test_the_script_is_plain_sh(tmp_path: Path) -> None:
    for plan in (made(), hybrid(), made({"worker": CELERY}, host={"python": "/opt/e/bin/python"})):
        folder = write_files(plan, tmp_path / str(id(plan)))
        script = next(folder.parent.rglob("install.sh"))
        run([tool("shellcheck"), str(script)])
        run(["sh", "-n", str(script)])


@pytest.mark.parametrize("profiles", [("prod", "hybrid"), ("prod", "systemd")])
def test_the_examples_other_shapes_are_what_would_be_rendered(profiles: tuple[str, ...]) -> None:
    example = Path(__file__).parent.parent.parent / "examples" / "mri-pipeline"
    run([sys.executable, "-m", "mlpack", "render", *profiles, "--check", "-C", str(example)])


def test_units_have_three_sections_once() -> None:
    for name in SERVICES:
        parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
        parser.read_string(texts(made())[f"shop-{name}.service"])
        assert parser.sections() == ["Unit", "Service", "Install"]
