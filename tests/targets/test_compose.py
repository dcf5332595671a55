"""Compose: every number of the plan, read back from the file by a YAML parser; what is hardened stays hardened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.artifacts import texts, tool, write_files
from tests.plans import embedding_plan, embedding_spec, plan_of, service_plan, whole

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.process import run
from mlpack.render import render
from mlpack.spec import Build, EnvValue, Service, Settings, Volume
from mlpack.targets.compose import wait_s
from mlpack.units import MIB, parse_bytes, parse_duration


def compose_file(plan: Plan) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(texts(plan)["compose.yaml"])
    return found


def with_settings(**changes: Any) -> Plan:
    plan = embedding_plan()
    settings = plan.spec.settings.model_copy(update=changes)
    return plan.model_copy(update={"spec": plan.spec.model_copy(update={"settings": settings})})


def test_every_number_is_the_plans() -> None:
    plan = embedding_plan()
    service, web = plan.services["web"], compose_file(plan)["services"]["web"]
    resources = web["deploy"]["resources"]
    assert service.health is not None
    assert parse_bytes(resources["limits"]["memory"]) == service.memory.limit_bytes.value
    assert parse_bytes(web["memswap_limit"]) == service.memory.limit_bytes.value
    assert parse_bytes(resources["reservations"]["memory"]) == service.memory.reservation_bytes.value
    assert float(resources["limits"]["cpus"]) == service.cpus.value
    assert resources["limits"]["pids"] == service.pids.value
    assert parse_bytes(web["tmpfs"][0].partition("size=")[2]) == service.memory.tmp_bytes.value
    assert parse_duration(web["stop_grace_period"]) == service.times.stop_grace_s.value
    check = web["healthcheck"]
    assert parse_duration(check["start_period"]) == service.health.start_period_s.value
    assert parse_duration(check["start_interval"]) == service.health.start_interval_s.value
    assert parse_duration(check["interval"]) == service.health.interval_s.value
    assert parse_duration(check["timeout"]) == service.health.timeout_s.value
    assert check["retries"] == service.health.retries.value
    assert 0 < float(check["test"][-1]) < service.health.timeout_s.value, "it says why before it is cut off"
    assert check["test"][-3:-1] == ["8000", "/health"]
    assert web["ports"] == [{"target": 8000, "published": "8080", "host_ip": "0.0.0.0", "protocol": "tcp"}]
    assert "shm_size" not in web
    assert "replicas" not in web["deploy"]


def test_what_is_planned_only_sometimes() -> None:
    memory = embedding_plan().services["web"].memory.model_copy(update={"shm_bytes": whole(320 * MIB)})
    web = service_plan(memory=memory, replicas=whole(3), publish=None)
    found = compose_file(plan_of(embedding_spec(), {"web": web}))["services"]["web"]
    assert parse_bytes(found["shm_size"]) == 320 * MIB
    assert found["deploy"]["replicas"] == 3
    assert "ports" not in found


def test_hardened() -> None:
    web = compose_file(embedding_plan())["services"]["web"]
    assert web["read_only"] is True
    assert web["cap_drop"] == ["ALL"]
    assert web["security_opt"] == ["no-new-privileges:true"]
    assert web["init"] is True
    assert web["restart"] == "unless-stopped"
    assert web["logging"]["options"] == {"max-size": "10240k", "max-file": "3"}


def test_mounts() -> None:
    mounts = {mount["target"]: mount for mount in compose_file(embedding_plan())["services"]["web"]["volumes"]}
    weights = mounts["/opt/embedding/weights/all-minilm-l6-v2"]
    assert weights["source"] == "../../weights/all-minilm-l6-v2"
    assert weights["read_only"] is True
    assert weights["bind"] == {"create_host_path": False}
    assert mounts["/opt/embedding/cache"] == {"type": "volume", "source": "cache", "target": "/opt/embedding/cache"}
    logs = mounts["/opt/embedding/logs"]
    assert (logs["type"], logs["source"], logs["bind"]) == ("bind", "../../logs", {"create_host_path": True})
    assert compose_file(embedding_plan())["volumes"] == {"cache": {}}


def test_folders_of_the_host_are_given_to_the_containers_user() -> None:
    """Without deploy.sh too: one service with the right to chown, and nothing else, runs before the others."""
    services = compose_file(embedding_plan())["services"]
    folders = services["mlpack-folders"]
    assert folders["command"][:2] == ["find", "/opt/embedding/logs"]
    assert folders["command"][-5:] == ["chown", "-h", "10001:10001", "{}", "+"]
    assert [mount["source"] for mount in folders["volumes"]] == ["../../logs"]
    assert (folders["cap_drop"], folders["network_mode"], folders["read_only"]) == (["ALL"], "none", True)
    # not DAC_READ_SEARCH, which opens files by handle, wherever they lie on the file system
    assert folders["cap_add"] == ["CHOWN", "DAC_OVERRIDE"]
    assert services["web"]["depends_on"] == {"mlpack-folders": {"condition": "service_completed_successfully"}}


def test_without_such_folders_nothing_runs_as_root() -> None:
    plan = plan_of(embedding_spec(volumes={"cache": Volume(), "logs": Volume()}), {"web": service_plan()})
    services = compose_file(plan)["services"]
    assert set(services) == {"web"}
    assert "depends_on" not in services["web"]


def test_names_keep_profiles_apart() -> None:
    dev = embedding_plan().model_copy(update={"profiles": ("dev",)})
    names = [
        (compose_file(plan)["name"], compose_file(plan)["services"]["web"]["image"]) for plan in (dev, embedding_plan())
    ]
    assert names == [("embedding-dev", "embedding:dev"), ("embedding-prod", "embedding:prod")]


def test_dev_mounts_the_source_and_restart_no_is_text() -> None:
    web = compose_file(with_settings(reload=True, restart="no", publish_host="127.0.0.1"))["services"]["web"]
    assert web["restart"] == "no"
    assert web["ports"][0]["host_ip"] == "127.0.0.1"
    assert {"type": "bind", "source": "../..", "target": "/opt/embedding", "bind": {"create_host_path": False}} in web[
        "volumes"
    ]


def two_services(**second: object) -> Plan:
    other = Service(server="uvicorn", app="b:app", env={"WEB": EnvValue(of="web", fact="url")})
    spec = embedding_spec()
    spec = spec.model_copy(update={"services": spec.services | {"api": other.model_copy(update=second)}})
    return plan_of(
        spec, {"web": service_plan(), "api": service_plan(server="uvicorn", port=9000, publish=None, health=None)}
    )


def test_services_with_the_same_ingredients_share_an_image() -> None:
    services = compose_file(two_services())["services"]
    assert services["web"]["image"] == services["api"]["image"] == "embedding:prod"
    assert "build" in services["web"]
    assert "build" not in services["api"]
    assert services["api"]["command"][:2] == ["uvicorn", "b:app"]
    assert services["api"]["depends_on"] == {"web": {"condition": "service_healthy"}}


def test_services_with_other_ingredients_have_their_own() -> None:
    plan = two_services(build=Build(python="3.12"))
    services = compose_file(plan)["services"]
    assert services["web"]["image"] == "embedding-web:prod"
    assert services["api"]["image"] == "embedding-api:prod"
    assert services["api"]["build"]["dockerfile"] == "deploy/prod/api.Dockerfile"
    assert {"web.Dockerfile", "api.Dockerfile", "api.Dockerfile.dockerignore"} <= set(
        texts(two_services(build=Build(python="3.12")))
    )


def test_an_image_of_the_users_gets_its_settings_mounted() -> None:
    spec = embedding_spec(build=Build(dockerfile="docker/My Dockerfile"))
    plan = plan_of(spec, {"web": service_plan()})
    web = compose_file(plan)["services"]["web"]
    assert web["build"] == {"context": "../..", "dockerfile": "docker/My Dockerfile"}
    config = "/opt/embedding/deploy/prod/web.gunicorn.conf.py"
    assert web["command"] == ["gunicorn", "--config", config, "app:app"]
    assert {mount["source"] for mount in web["volumes"] if mount["target"].endswith(".py")} == {
        "./web.gunicorn.conf.py",
        "./healthcheck.py",
    }
    assert "Dockerfile" not in texts(plan)
    assert "healthcheck.py" in texts(plan)


def test_closed_networks() -> None:
    build = Build(
        requirements="requirements.txt", wheelhouse="/srv/wheels", index="https://mirror.example/simple", ca="ca.pem"
    )
    found = compose_file(plan_of(embedding_spec(build=build), {"web": service_plan()}))
    web = found["services"]["web"]
    assert web["build"]["additional_contexts"] == {"wheels": "/srv/wheels"}
    assert web["build"]["args"]["PIP_INDEX_URL"] == "https://mirror.example/simple"
    assert web["build"]["args"]["HTTPS_PROXY"] is None, "from the caller's environment"
    assert web["build"]["secrets"] == ["ca"]
    assert found["secrets"] == {"ca": {"file": "../../ca.pem"}}


def test_waits_as_long_as_the_slowest_start_may_take() -> None:
    assert wait_s(embedding_plan()) == 52 + 4 * (11 + 5)
    assert "wait_s=116\n" in texts(embedding_plan())["deploy.sh"]


@pytest.mark.parametrize(
    ("plan", "what"),
    [
        (plan_of(embedding_spec(), {"web": service_plan(target="swarm")}), "target 'swarm'"),
        (plan_of(embedding_spec(), {"web": service_plan(server="ollama", target="systemd")}), "server 'ollama'"),
        (plan_of(embedding_spec(build=Build()), {"web": service_plan()}), "what to install"),
    ],
)
def test_what_cannot_be_rendered_is_refused_by_name(plan: Plan, what: str) -> None:
    with pytest.raises(SpecError, match=what) as caught:
        render(plan)
    assert caught.value.where
    assert caught.value.where.startswith("services.web")
    assert caught.value.hint


def test_same_input_same_bytes() -> None:
    plan = embedding_plan()
    again = Plan.model_validate_json(plan.to_json())
    assert render(plan) == render(again)


def test_compose_lint(tmp_path: Path) -> None:
    """Clean, but for two: a digest needs a registry, and the image is built here; giving folders away needs root."""
    folder = write_files(with_settings(publish_host="127.0.0.1"), tmp_path)
    said = run([tool("compose-lint"), "check", "--format", "json", str(folder / "compose.yaml")], check=False)
    assert said.code == 0, said.stdout
    findings = {(finding["rule_id"], finding["service"]) for finding in json.loads(said.stdout)["findings"]}
    assert findings <= {("CL-0019", "web"), ("CL-0019", "mlpack-folders"), ("CL-0018", "mlpack-folders")}


def test_shellcheck(tmp_path: Path) -> None:
    plan = plan_of(
        embedding_spec(volumes={"cache": Volume(), "logs": Volume(path="it's $HOME/logs")}), {"web": service_plan()}
    )
    folder = write_files(plan, tmp_path)
    run([tool("shellcheck"), "--severity=style", str(folder / "deploy.sh")])


def test_settings_reach_the_server() -> None:
    plan = embedding_plan()
    plan = plan.model_copy(update={"spec": plan.spec.model_copy(update={"settings": Settings(log_level="debug")})})
    assert 'loglevel = "debug"' in texts(plan)["web.gunicorn.conf.py"]
