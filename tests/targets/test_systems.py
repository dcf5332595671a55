"""Systems of several programs: what their containers get, where their passwords come from, what deploy.sh makes."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.artifacts import texts, tool, write_files
from tests.planner.build import plan

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.process import run
from mlpack.render import render

WEB: dict[str, Any] = {"server": "uvicorn", "app": "a:b", "port": 8000, "health": "/health"}
BUILD = {"requirements": "requirements.txt"}


def url_of(name: str) -> dict[str, Any]:
    return {"of": name, "fact": "url"}


def system(**more: Any) -> Plan:
    services: dict[str, Any] = {
        "web": {
            **WEB,
            "env": {"Q": url_of("queue"), "D": url_of("db"), "K": {"secret": "key"}},
            "max_body_bytes": 1000,
        },
        "worker": {"server": "celery", "app": "a:c", "env": {"Q": url_of("queue")}},
        "queue": {"server": "redis"},
        "db": {"server": "postgres"},
        "flower": {"server": "flower", "publish": 5555, "env": {"CELERY_BROKER_URL": url_of("queue")}},
        "proxy": {"server": "nginx", "to": "web", "domain": "eyes.example.org", "rate_per_s": 20},
    }
    return plan(services | more, {}, build=BUILD, secrets=("key",))


def services_of(made: Plan) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(texts(made)["compose.yaml"])
    return found


def test_nobody_is_root_and_nobody_has_rights() -> None:
    services = services_of(system())["services"]
    users = {name: service.get("user") for name, service in services.items()}
    assert users == {
        "web": None,  # the built image's own user
        "worker": None,
        "queue": "999:1000",
        "db": "70:70",
        "flower": "1000:1000",
        "proxy": "101:101",
    }
    assert all(service["cap_drop"] == ["ALL"] and "cap_add" not in service for service in services.values())
    assert all(service["read_only"] is True for service in services.values())


def test_an_image_of_the_users_may_start_as_root() -> None:
    db = services_of(system(db={"server": "postgres", "image": "postgres:16"}))["services"]["db"]
    assert db["image"] == "postgres:16"
    assert "user" not in db
    assert db["cap_add"] == ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]


def test_the_projects_own_dockerfile_is_not_the_databases() -> None:
    made = plan({"web": WEB, "db": {"server": "postgres"}}, {}, build={"dockerfile": "Dockerfile"})
    services = services_of(made)["services"]
    assert services["db"]["image"] == "postgres:17-alpine"
    assert "build" not in services["db"]
    assert "build" in services["web"]


def test_data_lies_in_volumes() -> None:
    found = services_of(system())
    assert set(found["volumes"]) == {"queue-data", "db-data"}
    assert found["services"]["queue"]["volumes"][0]["target"] == "/data"
    assert found["services"]["db"]["volumes"][0]["target"] == "/var/lib/postgresql/data"


def test_ports_of_queues_and_watchers_are_for_this_machine_only() -> None:
    services = services_of(system(queue={"server": "redis", "publish": 6379}))["services"]
    assert services["queue"]["ports"][0]["host_ip"] == "127.0.0.1"
    assert services["flower"]["ports"][0]["host_ip"] == "127.0.0.1"
    assert [port["target"] for port in services["proxy"]["ports"]] == [443, 80]
    assert "ports" not in services["web"]


def test_who_waits_for_whom() -> None:
    after = services_of(system())["services"]["web"]["depends_on"]
    assert after == {"queue": {"condition": "service_healthy"}, "db": {"condition": "service_healthy"}}


def test_values_with_secrets_are_in_no_rendered_file() -> None:
    made = texts(system())
    assert {name for name in ("Q=", "D=", "K=") if name in made["web.env"]} == set()
    services = yaml.safe_load(made["compose.yaml"])["services"]
    assert services["web"]["env_file"] == ["web.env", "secrets/web.env"]
    assert services["proxy"]["env_file"] == ["proxy.env"]
    assert services["db"]["secrets"] == ["db-password"]
    assert 'POSTGRES_PASSWORD_FILE="/run/secrets/db-password"' in made["db.env"]
    assert not any("requirepass" in word and "REDISCLI_AUTH" not in word for word in services["queue"]["command"])


def test_deploy_sh_makes_secrets_once(tmp_path: Path) -> None:
    folder = write_files(system(), tmp_path)
    script, secrets = str(folder / "deploy.sh"), folder / "secrets"
    run([tool("shellcheck"), "--severity=style", script])
    said = run([script, "secrets"])
    first = {path.name: path.read_text() for path in secrets.iterdir()}
    run([script, "secrets"])
    assert {path.name: path.read_text() for path in secrets.iterdir()} == first
    assert first[".gitignore"] == "*\n"
    queue, database = first["queue-password"], first["db-password"]
    assert len({queue, database, first["key"], first["flower-password"]}) == 4
    assert all(len(first[name]) == 48 for name in ("queue-password", "db-password", "key"))
    assert first["web.env"].splitlines() == [
        f'Q="redis://:{queue}@queue:6379/0"',
        f'D="postgresql://postgres:{database}@db:5432/postgres"',
        f'K="{first["key"]}"',
    ]
    assert f'FLOWER_BASIC_AUTH="admin:{first["flower-password"]}"' in first["flower.env"]
    assert not any(value in said.stdout + said.stderr for value in (queue, database, first["key"]))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in secrets.iterdir()}
    assert modes["web.env"] == modes["queue-password"] == modes["key"] == 0o600
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert modes["db-password"] in (0o400, 0o444), "the database's user reads it; the folder keeps others out"
    assert "BEGIN CERTIFICATE" in first["proxy.crt"]
    said_of = run(["openssl", "x509", "-in", str(secrets / "proxy.crt"), "-noout", "-ext", "subjectAltName"]).stdout
    assert "DNS:eyes.example.org" in said_of


def test_a_given_certificate_is_kept(tmp_path: Path) -> None:
    folder = write_files(system(), tmp_path)
    (folder / "secrets").mkdir()
    given = {"proxy.crt": "-----BEGIN CERTIFICATE-----\nMINE\n", "proxy.key": "-----BEGIN PRIVATE KEY-----\nMINE\n"}
    for name, text in given.items():
        (folder / "secrets" / name).write_text(text)
    run([str(folder / "deploy.sh"), "secrets"])
    assert {name: (folder / "secrets" / name).read_text() for name in given} == given


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("queue-password", "a b@c", "only letters"), ("key", "one\ntwo", "several lines")],
)
def test_secrets_that_cannot_be_handed_on_are_named(name: str, value: str, said: str, tmp_path: Path) -> None:
    folder = write_files(system(), tmp_path)
    (folder / "secrets").mkdir()
    (folder / "secrets" / name).write_text(value)
    done = subprocess.run([str(folder / "deploy.sh"), "secrets"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert name in done.stderr
    assert value not in done.stderr


def test_steps_run_one_after_the_other_before_the_service() -> None:
    steps = [["python", "manage.py", "migrate"], ["python", "manage.py", "collectstatic", "--no-input"]]
    services = services_of(system(web={**WEB, "env": {"D": url_of("db")}, "command": steps}))["services"]
    first, second, web = services["web-step-1"], services["web-step-2"], services["web"]
    assert [first["command"], second["command"]] == steps
    assert first["image"] == web["image"]
    assert first["restart"] == "no"
    assert "ports" not in first
    assert "healthcheck" not in first
    assert first["depends_on"] == {"db": {"condition": "service_healthy"}}
    done = {"condition": "service_completed_successfully"}
    assert second["depends_on"] == {"db": {"condition": "service_healthy"}, "web-step-1": done}
    assert web["depends_on"]["web-step-2"] == done
    assert first["env_file"] == web["env_file"]


def test_models_of_a_hub_are_fetched_by_a_step_and_services_stay_offline() -> None:
    made = plan({"web": {**WEB, "server": "gunicorn", "models": ["m"]}}, build=BUILD, models={"m": {"hub": "org/name"}})
    files = texts(made)
    found = yaml.safe_load(files["compose.yaml"])
    step, web = found["services"]["web-step-1"], found["services"]["web"]
    assert step["command"][-1] == "org/name"
    assert step["environment"]["HF_HUB_OFFLINE"] == "0"
    compile(step["command"][2].replace("$$", "$"), "fetch", "exec")
    assert 'HF_HUB_OFFLINE="1"' in files["web.env"]
    assert 'HF_HOME="/opt/shop/hub-models"' in files["web.env"]
    assert {"type": "volume", "source": "hub-models", "target": "/opt/shop/hub-models"} in web["volumes"]
    assert "/opt/shop/hub-models" in files["Dockerfile"], "the mount point has the right owner"
    assert "hub-models" in found["volumes"]


def test_proxies_say_what_is_planned() -> None:
    made = system()
    nginx = texts(made)["proxy.nginx.conf"]
    read = made.services["proxy"].times.proxy_read_s
    assert read is not None
    for line in (
        f"proxy_read_timeout {read.value}s;",
        "client_max_body_size 1000;",
        "rate=20r/s;",
        "set $upstream web;",
        "proxy_pass http://$upstream:8000;",
        "return 301 https://eyes.example.org$request_uri;",
        "listen 443 ssl default_server;",
    ):
        assert line in nginx
    assert 'FORWARDED_ALLOW_IPS="*"' in texts(made)["web.env"]


@pytest.mark.parametrize(
    ("domain", "internal"),
    [("knee.example.org", False), ("localhost", True), ("knee.internal", True), ("knee", True), ("10.1.2.3", True)],
)
def test_caddy_asks_an_authority_only_for_public_names(domain: str, internal: bool) -> None:
    made = texts(system(proxy={"server": "caddy", "to": "web", "domain": domain}))["proxy.Caddyfile"]
    assert ("tls internal" in made) == internal
    assert f"https://{domain}:443 {{" in made
    assert "max_size 1000" in made
    assert "Strict-Transport-Security" not in made if internal else "Strict-Transport-Security" in made


def test_caddy_keeps_the_one_right_that_its_binary_needs() -> None:
    proxy = services_of(system(proxy={"server": "caddy", "to": "web"}))["services"]["proxy"]
    assert proxy["cap_add"] == ["NET_BIND_SERVICE"]
    assert [port["target"] for port in proxy["ports"]] == [80]


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ({"server": "caddy", "to": "web", "rate_per_s": 3}, "no rate limit"),
        ({"server": "nginx"}, "stands before"),
        ({"server": "nginx", "to": "web", "domain": "x.org; }"}, "no host name"),
        ({"server": "caddy", "to": "web", "domain": "*.x.org"}, "no host name"),
    ],
)
def test_proxies_that_cannot_be(proxy: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        render(system(proxy=proxy))
