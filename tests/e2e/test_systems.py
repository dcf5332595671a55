"""Whole systems of several programs, as rendered and started by deploy.sh: passwords, steps, data, proxies, scaling."""

from __future__ import annotations

import json
import os
import socket
import ssl
import stat
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from tests.artifacts import write_files
from tests.e2e import doctors, standins
from tests.planner.build import plan as make_plan

from mlpack.plan import Plan
from mlpack.process import run

pytestmark = pytest.mark.engine
PEER = ssl._create_unverified_context()  # certificates are made by the test itself
APP: dict[str, Any] = {"server": "uvicorn", "app": "app:app", "image": standins.APP, "port": 8000, "models": []}


class System:
    """A rendered deployment in a folder of its own."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, write_files(plan, folder)

    def up(self) -> str:
        """deploy.sh up; what it said."""
        done = run([str(self.folder / "deploy.sh"), "up"], timeout_s=300)
        return done.stdout + done.stderr

    def compose(self, *words: str, check: bool = True) -> str:
        """`docker compose` in its folder."""
        argv = ["docker", "compose", "--file", str(self.folder / "compose.yaml"), *words]
        return run(argv, timeout_s=120, check=check).stdout

    def secret(self, name: str) -> str:
        """A secret's value."""
        return (self.folder / "secrets" / name).read_text()


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def started(tmp_path: Path, services: dict[str, Any], **more: Any) -> Iterator[System]:
    """A system of ``services`` under a name of its own, removed afterwards."""
    plan = make_plan(services, {}, name=f"t{uuid.uuid4().hex[:8]}", **more)
    system = System(plan, tmp_path)
    try:
        yield system
    finally:
        system.compose("down", "--volumes", "--remove-orphans", "--timeout", "2", check=False)


@pytest.fixture
def stateful(tmp_path: Path) -> Iterator[System]:
    standins.provide("app", "redis", "postgres")
    web = {
        **APP,
        "env": {
            "BROKER": {"of": "queue", "fact": "url"},
            "DATABASE": {"of": "db", "fact": "url"},
            "KEY": {"secret": "key"},
        },
        "command": [
            ["python", "-c", "import os; print('step', 'KEY' in os.environ)"],
            ["python", "-c", "print('second')"],
        ],
    }
    services = {"web": web, "queue": {"server": "redis"}, "db": {"server": "postgres"}}
    yield from started(tmp_path, services, secrets=("key",))


def test_passwords_steps_and_data(stateful: System) -> None:
    secrets = stateful.folder / "secrets"
    secrets.mkdir(mode=0o700)
    (secrets / "key").write_text('own $value "1" \\')
    said = stateful.up()

    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(file.stat().st_mode) in (0o600, 0o400) for file in secrets.iterdir())
    queue, database = stateful.secret("queue-password"), stateful.secret("db-password")
    assert len({queue, database}) == 2
    rendered = "".join(path.read_text() for path in stateful.folder.iterdir() if path.is_file())
    logs, argv = stateful.compose("logs"), stateful.compose("top")
    for text in (said, rendered, logs, argv):
        assert queue not in text
        assert database not in text

    # the app got what it needs: its secret as it stands, and a URL that the queue accepts
    environ = dict(
        line.split("=", 1) for line in stateful.compose("exec", "-T", "web", "env").splitlines() if "=" in line
    )
    assert environ["KEY"] == 'own $value "1" \\'
    assert stateful.compose("exec", "-T", "web", "uvicorn", "--ping").strip() == "['+OK', '+PONG']"
    nobody = stateful.compose("exec", "-T", "--env", "REDISCLI_AUTH=", "queue", "redis-cli", "ping")
    assert "NOAUTH" in nobody

    # the database takes its password and no other, and runs with the plan's numbers
    psql = ("exec", "-T", "db", "psql", "--no-psqlrc", "--tuples-only", "--no-align")
    url = environ["DATABASE"].replace("@db:", "@127.0.0.1:")
    assert database in url
    shown = stateful.compose(*psql, "--command", "show shared_buffers", url.replace("127.0.0.1", "db")).strip()
    assert shown == "128MB"
    wrong = environ["DATABASE"].replace(database, "wrong")
    assert stateful.compose(*psql, "--command", "select 1", wrong, check=False).strip() == ""

    # steps ran in their order, with the service's own variables
    assert "step True" in stateful.compose("logs", "--no-log-prefix", "web-step-1")
    states = [json.loads(line) for line in stateful.compose("ps", "--all", "--format", "json").splitlines()]
    exits = {state["Service"]: state["ExitCode"] for state in states if state["State"] == "exited"}
    assert exits == {"web-step-1": 0, "web-step-2": 0}

    doctors.finds_nothing(stateful.compose)

    # data outlives containers, and secrets are made once
    redis = ("exec", "-T", "queue", "redis-cli")
    stateful.compose(*redis, "set", "kept", "yes")
    stateful.compose(*psql, "--command", "create table kept (n int)", url.replace("127.0.0.1", "db"))
    run([str(stateful.folder / "deploy.sh"), "down"], timeout_s=120)
    stateful.up()
    assert stateful.secret("queue-password") == queue
    assert stateful.compose(*redis, "get", "kept").strip() == "yes"
    assert "CREATE" not in stateful.compose(*psql, "--command", "select * from kept", url.replace("127.0.0.1", "db"))


def ask(port: int, path: str = "/", *, scheme: str = "https", body: bytes | None = None) -> dict[str, Any]:
    """An answer of the app behind the proxy, with the proxy's own headers under `sent`."""
    request = Request(
        f"{scheme}://localhost:{port}{path}", data=body, headers={"X-API-Key": "k", "X-Forwarded-For": "6.6.6.6"}
    )
    with urlopen(request, context=PEER if scheme == "https" else None, timeout=20) as answer:
        said: dict[str, Any] = json.load(answer)
        return said | {"sent": dict(answer.headers)}


def hosts_seen(port: int, count: int) -> set[str]:
    return {ask(port)["host"] for _ in range(count)}


@pytest.fixture(params=["nginx", "caddy"])
def proxied(request: pytest.FixtureRequest, tmp_path: Path, free_port: int) -> Iterator[tuple[System, int]]:
    standins.provide("app", request.param)
    proxy = {"server": request.param, "to": "web", "domain": "localhost", "publish": free_port}
    services = {"web": {**APP, "replicas": 2, "max_body_bytes": 100_000}, "proxy": proxy}
    for system in started(tmp_path, services):
        yield system, free_port


def test_replicas_come_and_go_behind_a_proxy(proxied: tuple[System, int]) -> None:
    """Found by the service's name while requests come: no restart of the proxy, no failed request."""
    system, port = proxied
    system.up()
    wait_for(port)
    first = ask(port, body=b"x" * 100_000)
    assert first["body"] == 100_000
    headers = {name.lower(): value for name, value in first["headers"].items()}
    assert headers["x-api-key"] == "k"
    assert headers["x-forwarded-proto"] == "https"
    assert "6.6.6.6" not in headers["x-forwarded-for"], "a client's own word about its address"
    sent = {name.lower(): value for name, value in first["sent"].items()}
    assert sent["x-content-type-options"] == "nosniff"
    with pytest.raises(OSError, match="413"):
        ask(port, body=b"x" * 100_001)

    assert len(hosts_seen(port, 40)) == 2
    system.compose("up", "--detach", "--no-recreate", "--scale", "web=4")
    time.sleep(5)  # the look-up's age, and the new replicas' start
    assert len(hosts_seen(port, 80)) == 4
    scaling = subprocess.Popen(
        ["docker", "compose", "--file", str(system.folder / "compose.yaml"), "up", "--detach", "--scale", "web=1"],
        env=os.environ,
        stderr=subprocess.DEVNULL,
    )
    with scaling:
        while scaling.poll() is None:
            ask(port)
    for _ in range(20):
        ask(port)
    time.sleep(3)
    assert len(hosts_seen(port, 20)) == 1


def wait_for(port: int) -> None:
    """Until the proxy answers: it has no health check of its own."""
    deadline = time.monotonic() + 30
    while True:
        try:
            ask(port)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)
