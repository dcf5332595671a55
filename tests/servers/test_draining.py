"""A real uvicorn behind a proxy, stopped under load: what it took it answers, what it did not take is told at once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from tests.artifacts import texts, write_files
from tests.planner.build import plan as make_plan

from mlpack.audit.place import Place
from mlpack.audit.program import read_program
from mlpack.launchers.process import free_port
from mlpack.plan import Plan
from mlpack.servers import SERVERS
from mlpack.servers.draining import draining_path

BUILD = {"requirements": "requirements.txt"}
PROXY: dict[str, Any] = {"server": "nginx", "to": "api", "domain": "eyes.example.org"}
PATIENCE_S = 30
APP = """
import asyncio, time

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    WORK  # so that each stop finds requests in progress
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"right"})
"""


WORK = {"waits": "await asyncio.sleep(0.2)", "blocks its loop": "time.sleep(0.05)"}
"""What a request does: other requests are taken meanwhile, or not."""


def planned(workers: int, *, proxied: bool = True, **service: Any) -> Plan:
    api = {"server": "uvicorn", "app": "web:app", "models": [], "workers": workers, "port": 8000, **service}
    return make_plan({"api": api, **({"proxy": PROXY} if proxied else {})}, {}, build=BUILD)


def test_only_replicas_behind_a_proxy_need_it() -> None:
    assert draining_path(planned(2), "api") == "deploy/prod/api_uvicorn.py"
    assert draining_path(planned(2), "proxy") is None
    alone = planned(2, proxied=False)
    assert draining_path(alone, "api") is None
    assert SERVERS["uvicorn"].argv(alone, "api")[:2] == ("uvicorn", "web:app")
    assert not any(name.endswith("_uvicorn.py") for name in texts(alone))


def test_the_image_holds_and_starts_it() -> None:
    files = texts(planned(2))
    assert "!deploy/prod/api_uvicorn.py" in files["Dockerfile.dockerignore"]
    assert '"python", "/opt/shop/deploy/prod/api_uvicorn.py", "web:app"' in files["Dockerfile"]


def test_audit_knows_it_for_uvicorn() -> None:
    argv = SERVERS["uvicorn"].argv(planned(2), "api")
    program = read_program(argv, Place("compose.yaml", 1), None, {})
    assert (program.kind, program.app) == ("uvicorn", "web:app")
    assert program.options["workers"].text == "2"


@pytest.mark.slow
@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("workers", [1, 2])
def test_whatever_was_taken_is_answered(tmp_path: Path, workers: int, work: str) -> None:
    port = free_port()
    plan = planned(workers, port=port)
    plan = plan.model_copy(update={"spec": plan.spec.model_copy(update={"root": str(tmp_path)})})
    write_files(plan, tmp_path)
    (tmp_path / "web.py").write_text(APP.replace("WORK", WORK[work]))
    argv = SERVERS["uvicorn"].argv(plan, "api")
    assert ("--workers" in argv) == (workers > 1)
    found: Counter[str] = Counter()
    stop, guard = threading.Event(), threading.Lock()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen((sys.executable, *argv[1:]), cwd=tmp_path, stdout=log, stderr=log)
    try:
        until = time.monotonic() + PATIENCE_S
        while asked(port) != "answered":
            assert time.monotonic() < until, (tmp_path / "log").read_text()
            time.sleep(0.1)

        def ask() -> None:
            while not stop.is_set():
                answer = asked(port)
                with guard:
                    found[answer] += 1

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        process.terminate()
        process.wait(PATIENCE_S)
        stop.set()
        for thread in threads:
            thread.join()
    finally:
        stop.set()
        process.kill()
        process.wait()
    assert set(found) <= {"answered", "not taken"}, (found, (tmp_path / "log").read_text())
    assert found["answered"] >= 8


def asked(port: int) -> str:
    """What became of one POST, as a proxy sees it: only ``not taken`` may be asked of another replica."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.connect()
    except OSError:
        time.sleep(0.02)
        return "not taken"
    try:
        connection.request("POST", "/", body=b"x" * 1000)
        answer = connection.getresponse()
        return "answered" if (answer.status, answer.read()) == (200, b"right") else f"status {answer.status}"
    except OSError as error:
        return f"lost: {type(error).__name__}"
    finally:
        connection.close()
