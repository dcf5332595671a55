"""A real gunicorn with its rendered settings, stopped under load: what it took it answers, the rest is refused."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.artifacts import texts, write_files
from tests.planner.build import plan as make_plan
from tests.servers.test_draining import BUILD, PATIENCE_S, PROXY, asked

from mlpack.launchers.process import free_port
from mlpack.plan import Plan
from mlpack.servers import SERVERS
from mlpack.servers.draining import draining_path, taking_class

APP = """
import time

def app(environ, start_response):
    environ["wsgi.input"].read()
    time.sleep(0.2)  # so that each stop finds requests in progress, and others that wait
    start_response("200 OK", [("Content-Length", "5")])
    return [b"right"]
"""


def planned(concurrency: int, *, proxied: bool = True, **service: Any) -> Plan:
    api = {"server": "gunicorn", "interface": "wsgi", "app": "web:app", "models": [], "workers": 2, "port": 8000}
    api |= {"concurrency": concurrency, **service}
    return make_plan({"api": api, **({"proxy": PROXY} if proxied else {})}, {}, build=BUILD)


def test_only_wsgi_workers_behind_a_proxy_need_it() -> None:
    assert [taking_class(planned(n), "api") for n in (1, 4)] == ["sync", "gthread"]
    assert taking_class(planned(1, interface="asgi", endpoint="async"), "api") == ""
    assert taking_class(planned(4, proxied=False), "api") == ""
    assert draining_path(planned(4), "api") is None, "its own settings file says it"
    assert "take_what_waits" not in texts(planned(4, proxied=False))["api.gunicorn.conf.py"]


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [1, 4])
def test_whatever_was_taken_is_answered(tmp_path: Path, concurrency: int) -> None:
    port = free_port()
    plan = planned(concurrency, port=port)
    plan = plan.model_copy(update={"spec": plan.spec.model_copy(update={"root": str(tmp_path)})})
    write_files(plan, tmp_path)
    (tmp_path / "web.py").write_text(APP)
    argv = SERVERS["gunicorn"].argv(plan, "api")
    found: Counter[str] = Counter()
    stop, guard = threading.Event(), threading.Lock()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen((sys.executable, "-m", *argv), cwd=tmp_path, stdout=log, stderr=log)
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

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        time.sleep(2)
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
    assert found["answered"] >= 12


def test_a_worker_that_is_replaced_leaves_what_waits_to_the_others() -> None:
    """Its socket stays open: closed while others listen, it would only be taken from its successor's queue."""
    settings: dict[str, Any] = {}
    exec(texts(planned(1))["api.gunicorn.conf.py"], settings)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        replaced = SimpleNamespace(nr=5, max_requests=5, sockets=[listener])
        settings["take_what_waits"](replaced, pytest.fail)
        assert replaced.sockets == [listener]
        taken: list[Any] = []
        told = SimpleNamespace(nr=5, max_requests=6, sockets=[listener])
        settings["take_what_waits"](told, lambda sock: taken.append(sock.accept()[0]))
        assert (len(taken), told.sockets, listener.fileno()) == (1, [], -1)
        taken[0].close()
