"""Workers that load in turn, in a real gunicorn: never two at once, none killed while it waits, and a smaller peak."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.plans import embedding_plan, plan_of, service_plan, whole

from mlpack.launchers.process import free_port
from mlpack.plan import Decided, Plan
from mlpack.render import render

pytestmark = pytest.mark.slow

LOAD_S, WORKERS, TIMEOUT_S = 1.2, 3, 3
"""All loads in turn take longer than gunicorn's timeout: only a waiting worker that reports survives it."""
APP = '''
import json, os, time

def load():
    """Each load is written down with its start and end; a passing 60 MB is held meanwhile."""
    began = time.monotonic()
    passing = bytearray(60_000_000)
    passing[::4096] = bytes([1]) * len(passing[::4096])
    time.sleep({load_s})
    del passing
    with open("loads", "a") as log:
        log.write(json.dumps([os.getpid(), began, time.monotonic()]) + "\\n")
    if os.path.exists("die") and not os.path.exists("died"):
        open("died", "w").close()
        os.kill(os.getpid(), 9)
'''
WSGI = (
    APP
    + """
load()
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""
)
ASGI = (
    APP
    + """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        load()
        await send({{"type": "lifespan.startup.complete"}})
        await receive()
        await send({{"type": "lifespan.shutdown.complete"}})
        return
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": str(os.getpid()).encode()}})
"""
)


def plan(interface: str, concurrency: int, *, in_turn: bool) -> Plan:
    """Three workers of the embedding service, which load in turn or at once."""
    made = embedding_plan()
    web = made.spec.services["web"].model_copy(update={"interface": interface})
    spec = made.spec.model_copy(update={"services": {"web": web}})
    turn = Decided[bool](value=in_turn, source="calculated", because="all 3 loading at once would need 900 MiB")
    times = made.services["web"].times.model_copy(update={"worker_s": whole(TIMEOUT_S)})
    worker_class = Decided[str](value="asgi", source="calculated", because="an ASGI app")
    service = service_plan(
        workers=whole(WORKERS),
        load_in_turn=turn,
        times=times,
        concurrency=whole(concurrency),
        worker_class=worker_class if interface == "asgi" else None,
    )
    return plan_of(spec, {"web": service})


@contextmanager
def started(folder: Path, interface: str, concurrency: int, *, in_turn: bool) -> Iterator[subprocess.Popen[bytes]]:
    """gunicorn under the settings that were rendered for it, on a free port; stopped at the end."""
    port = free_port()
    made = plan(interface, concurrency, in_turn=in_turn)
    text = next(a.text for a in render(made) if a.path.endswith("web.gunicorn.conf.py"))
    bind = next(line for line in text.splitlines() if line.startswith("bind = "))
    (folder / "conf.py").write_text(text.replace(bind, f'bind = "127.0.0.1:{port}"'), encoding="utf-8")
    app = (WSGI if interface == "wsgi" else ASGI).format(load_s=LOAD_S)
    (folder / "app.py").write_text(app, encoding="utf-8")
    argv = (sys.executable, "-m", "gunicorn", "--config", "conf.py", "app:app")
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(argv, cwd=folder, stdout=log, stderr=log)
    try:
        yield server
    finally:
        server.terminate()
        try:
            server.wait(20)
        finally:
            server.kill()


def loads(folder: Path) -> list[tuple[int, float, float]]:
    """Process, start and end of every load so far, by their start."""
    path = folder / "loads"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    return sorted(((pid, began, ended) for pid, began, ended in rows), key=lambda row: row[1])


def until(count: int, folder: Path, server: subprocess.Popen[bytes]) -> list[tuple[int, float, float]]:
    """``count`` loads, waited for."""
    deadline = time.monotonic() + 60
    while len(loads(folder)) < count:
        assert time.monotonic() < deadline, (folder / "log").read_text(encoding="utf-8")
        assert server.poll() is None, (folder / "log").read_text(encoding="utf-8")
        time.sleep(0.05)
    return loads(folder)


def at_once(rows: list[tuple[int, float, float]]) -> int:
    """The most loads that overlap."""
    return max(sum(began <= start < ended for _, began, ended in rows) for _, start, _ in rows)


@pytest.mark.parametrize(("interface", "concurrency"), [("wsgi", 1), ("wsgi", 4), ("asgi", 3)])
def test_one_worker_loads_at_a_time(interface: str, concurrency: int, tmp_path: Path) -> None:
    with started(tmp_path, interface, concurrency, in_turn=True) as server:
        rows = until(WORKERS, tmp_path, server)
        assert at_once(rows) == 1
        assert len({pid for pid, _, _ in rows}) == WORKERS
        time.sleep(TIMEOUT_S / 2)
        log = (tmp_path / "log").read_text(encoding="utf-8")
        assert "WORKER TIMEOUT" not in log
        assert {answer(tmp_path) for _ in range(8)} <= {str(pid) for pid, _, _ in rows}
        # one worker goes: its successor loads again, alone
        os.kill(rows[0][0], signal.SIGTERM)
        assert at_once(until(WORKERS + 1, tmp_path, server)) == 1


def test_without_turns_they_load_together(tmp_path: Path) -> None:
    """The control: what the lock prevents does happen without it."""
    with started(tmp_path, "wsgi", 1, in_turn=False) as server:
        assert at_once(until(WORKERS, tmp_path, server)) > 1


def test_a_worker_that_dies_loading_lets_the_next_one_in(tmp_path: Path) -> None:
    (tmp_path / "die").touch()
    with started(tmp_path, "wsgi", 1, in_turn=True) as server:
        rows = until(WORKERS + 1, tmp_path, server)
        assert (tmp_path / "died").exists()
        assert at_once(rows) == 1


def test_a_stop_ends_those_that_wait(tmp_path: Path) -> None:
    """SIGTERM reaches the master while two wait: everything is gone long before the graceful timeout of 31 s."""
    with started(tmp_path, "wsgi", 1, in_turn=True) as server:
        until(1, tmp_path, server)
        server.terminate()
        assert server.wait(15) == 0
    assert len(loads(tmp_path)) < WORKERS


def test_the_peak_is_smaller(tmp_path: Path) -> None:
    """Of all workers together, sampled while they load: one passing 60 MB instead of three."""
    peaks = {}
    for in_turn in (True, False):
        folder = tmp_path / str(in_turn)
        folder.mkdir()
        with started(folder, "wsgi", 1, in_turn=in_turn) as server:
            peak = 0
            while len(loads(folder)) < WORKERS:
                peak = max(peak, anonymous_bytes(server.pid))
                time.sleep(0.02)
            peaks[in_turn] = peak
    assert peaks[False] - peaks[True] >= 100_000_000


def answer(folder: Path) -> str:
    """Who answers."""
    text = (folder / "conf.py").read_text(encoding="utf-8")
    address = next(line for line in text.splitlines() if line.startswith("bind = ")).split('"')[1]
    with urllib.request.urlopen(f"http://{address}/", timeout=20) as response:
        body: Any = response.read()
    return bytes(body).decode()


def anonymous_bytes(master: int) -> int:
    """RssAnon of all children of ``master``."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines() if ":" in line)
        except OSError:
            continue  # it has ended
        if int(fields["PPid"]) == master:
            total += int(fields.get("RssAnon", "0 kB").split()[0]) * 1024
    return total
