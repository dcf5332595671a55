"""A repeatable request whose replica dies is asked of another, once and whole; a slow one is not asked twice."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.artifacts import texts
from tests.e2e.standins import NAMES, provide
from tests.planner.build import plan as make_plan

from mlpack.process import run

pytestmark = pytest.mark.engine

REPLICA = """
import hashlib, http.server, os, signal, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        print("asked", self.path, flush=True)
        if self.path == "/breaks":
            return
        if self.path == "/kills" and os.environ["FRAGILE"] == "1":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.path == "/slow":
            time.sleep(60)
        answer = hashlib.sha256(body).hexdigest().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
server = http.server.ThreadingHTTPServer(("", 8000), Handler)
print("ready", flush=True)
server.serve_forever()
"""
BODY = os.urandom(3 * 1024 * 1024)
"""Beyond nginx's buffer: it lies in /tmp while it is asked."""
READ_S = 6


class Stack:
    """Three replicas under one name, one of them fragile, behind nginx as rendered."""

    def __init__(self, conf: Path) -> None:
        self.name = f"mlpack-test-repeat-{uuid.uuid4().hex[:8]}"
        self.replicas = [f"{self.name}-{n}" for n in range(3)]
        self.starting: list[str] = []
        self.proxy = f"{self.name}-proxy"
        self.conf = conf
        # nginx listens a moment after its container runs
        self.client = httpx.Client(timeout=60, transport=httpx.HTTPTransport(retries=8))

    def up(self) -> None:
        """Runs once every replica listens."""
        run(["docker", "network", "create", self.name])
        for n, replica in enumerate(self.replicas):
            words = ["docker", "run", "--detach", "--init", "--name", replica, "--network", self.name]
            words += ["--network-alias", "api", "--env", f"FRAGILE={int(n == 0)}", "python:3.11-slim-bookworm"]
            run([*words, "python", "-c", REPLICA])
        words = ["docker", "run", "--detach", "--name", self.proxy, "--network", self.name]
        words += ["--tmpfs", "/tmp:mode=1777,size=64m", "--publish", "127.0.0.1::80"]
        run([*words, "--volume", f"{self.conf}:/etc/nginx/nginx.conf:ro", NAMES["nginx"]])
        url = "http://" + run(["docker", "port", self.proxy, "80"]).stdout.split()[0]
        while self.said("ready") < 3:
            time.sleep(0.1)
        self.client.base_url = httpx.URL(url)

    def start(self, count: int) -> None:
        """``count`` replicas more, which have the name but do not listen yet."""
        for n in range(count):
            self.starting.append(f"{self.name}-starting-{n}")
            words = ["docker", "run", "--detach", "--init", "--name", self.starting[-1], "--network", self.name]
            run([*words, "--network-alias", "api", "python:3.11-slim-bookworm", "sleep", "600"])

    def down(self) -> None:
        """Leaves nothing behind."""
        self.client.close()
        run(["docker", "rm", "--force", "--volumes", self.proxy, *self.replicas, *self.starting], check=False)
        run(["docker", "network", "rm", self.name], check=False)

    def said(self, line: str) -> int:
        """How often the replicas, taken together, said ``line``."""
        said = [run(["docker", "logs", replica]).stdout for replica in self.replicas]
        return "\n".join(said).split("\n").count(line)

    def running(self) -> int:
        """How many replicas live."""
        found = run(["docker", "inspect", "--format", "{{.State.Running}}", *self.replicas]).stdout.split()
        return found.count("true")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    provide("nginx")
    api: dict[str, Any] = {"server": "uvicorn", "app": "app:app", "port": 8000, "max_body_bytes": 10 * 1024 * 1024}
    services = {"api": {**api, "replicas": 3, "repeatable": True}, "proxy": {"server": "nginx", "to": "api"}}
    text = texts(make_plan(services, {}, build={"requirements": "requirements.txt"}))["proxy.nginx.conf"]
    reads = [line.strip() for line in text.splitlines() if "proxy_read_timeout" in line]
    text = text.replace(reads[0], f"proxy_read_timeout {READ_S}s;")
    conf = tmp_path / "nginx.conf"
    conf.write_text(text)
    made = Stack(conf)
    try:
        made.up()
        yield made
    finally:
        made.down()


def test_replicas_that_do_not_listen_yet_count_for_nothing(stack: Stack) -> None:
    """Scaled up under load most names may lead nowhere; what is broken off has its second chance all the same."""
    stack.start(4)
    time.sleep(2.5)  # nginx looks names up again after 2 s
    assert stack.client.post("/breaks", content=BODY).status_code == 502
    assert stack.said("asked /breaks") == 2
    answers = [stack.client.post("/kills", content=BODY).status_code for _ in range(30)]
    assert answers == [200] * 30
    assert stack.running() == 2


def test_what_a_killed_replica_had_is_asked_of_another_once(stack: Stack) -> None:
    wanted = hashlib.sha256(BODY).hexdigest()
    assert stack.client.post("/breaks", content=BODY).status_code == 502
    assert stack.said("asked /breaks") == 2, "not of the third: the request itself may be what kills"
    assert stack.client.post("/slow", content=BODY).status_code == 504
    assert stack.said("asked /slow") == 1
    while stack.running() == 3:
        answer = stack.client.post("/kills", content=BODY)
        assert (answer.status_code, answer.text) == (200, wanted)
