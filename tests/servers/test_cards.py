"""A card for every worker of real uvicorn and Celery: no two living ones share, a replaced one gets the free card."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.artifacts import texts, write_files
from tests.planner.build import CELERY, UVICORN
from tests.planner.gpu_build import card, plan_on, with_cards

from mlpack.host import GpuSetFacts
from mlpack.launchers.process import free_port
from mlpack.plan import Plan
from mlpack.targets.systemd_programs import unit_argv

pytestmark = pytest.mark.slow

PATIENCE_S = 60
HOSTILE = 'GPU-"$x\\ {{ 2 }}'
CARDS = ("GPU-a", "GPU-b", HOSTILE)
BUILD = {"requirements": "requirements.txt"}

WEB = """
import os
from . import first_of_all

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    said = f"{os.getpid()} {first_of_all.SEEN}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": said})

class made:
    app = app

def create():
    return app
"""
TASKS = """
import json, os, time
from celery import Celery
from celery.signals import worker_process_init

assert "CUDA_VISIBLE_DEVICES" not in os.environ, "the parent has no card"
app = Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {name: "queue" for name in ("data_folder_in", "data_folder_out")}
app.conf.broker_transport_options["control_folder"] = "control"
app.conf.task_reject_on_worker_lost = False
seen = None

@worker_process_init.connect
def load(**_):
    global seen
    seen = os.environ["CUDA_VISIBLE_DEVICES"]  # as a handler that loads the model there

@app.task(name="tasks.work", acks_late=False)
def work():
    with open("done", "a") as log:
        log.write(json.dumps([os.getpid(), seen]) + "\\n")
    time.sleep(0.3)
"""


def on_cards(server: dict[str, object], port: int | None = None, count: int = 3) -> Plan:
    """One service on so many cards; every worker needs one."""
    cards = with_cards(GpuSetFacts(devices=tuple(card(80, uuid=uuid) for uuid in CARDS[:count])))
    it = {**server, "env": {}, "device": "gpu", **({"port": port} if port else {})}
    return plan_on(cards, {"it": it}, build=BUILD)


@contextmanager
def running(plan: Plan, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The rendered command in ``folder``, which stands for the project's."""
    moved = plan.model_copy(update={"spec": plan.spec.model_copy(update={"root": str(folder)})})
    write_files(moved, folder)
    argv = unit_argv(moved, "it")
    environ = {**os.environ, "TMPDIR": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen((sys.executable, *argv[1:]), cwd=folder, stdout=log, stderr=log, env=environ)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def gathered(ask: Callable[[], dict[int, str]], folder: Path, without: int = 0) -> dict[int, str]:
    """pid -> card, asked until three workers other than ``without`` have answered."""
    found: dict[int, str] = {}
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        found |= {pid: seen for pid, seen in ask().items() if pid != without}
        if len(found) >= len(CARDS):
            return found
        time.sleep(0.05)
    raise AssertionError(f"{found}\n{(folder / 'log').read_text()}")


@pytest.mark.parametrize("app", ["shop.web:app", "shop.web:made.app", "shop.web:create()"])
def test_uvicorn(tmp_path: Path, app: str) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "web.py").write_text(WEB)
    (tmp_path / "shop" / "first_of_all.py").write_text('import os\nSEEN = os.environ["CUDA_VISIBLE_DEVICES"]\n')
    port = free_port()
    plan = on_cards({**UVICORN, "app": app}, port)
    assert plan.services["it"].workers.value == len(CARDS)

    def ask() -> dict[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                pid, _, seen = answer.read().decode().partition(" ")
        except (urllib.error.URLError, OSError):
            return {}
        return {int(pid): seen}

    with running(plan, tmp_path):
        first = gathered(ask, tmp_path)
        assert sorted(first.values()) == sorted(CARDS)
        gone = next(pid for pid, seen in first.items() if seen == HOSTILE)
        os.kill(gone, signal.SIGKILL)
        assert sorted(gathered(ask, tmp_path, without=gone).values()) == sorted(CARDS)


def test_celery(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(TASKS)
    for name in ("queue", "control"):
        (tmp_path / name).mkdir()
    plan = on_cards({**CELERY, "app": "tasks:app"})
    assert plan.services["it"].workers.value == len(CARDS)
    assert not plan.services["it"].preload.value

    def ask() -> dict[int, str]:
        code = "import tasks\nfor _ in range(6): tasks.work.delay()"
        environ = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
        subprocess.run((sys.executable, "-c", code), cwd=tmp_path, check=True, timeout=PATIENCE_S, env=environ)
        time.sleep(0.5)
        log = tmp_path / "done"
        rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return dict(rows)

    with running(plan, tmp_path):
        first = gathered(ask, tmp_path)
        assert sorted(first.values()) == sorted(CARDS)
        gone = next(pid for pid, seen in first.items() if seen == "GPU-b")
        os.kill(gone, signal.SIGKILL)
        assert sorted(gathered(ask, tmp_path, without=gone).values()) == sorted(CARDS)


def test_one_card_needs_no_module() -> None:
    for server in (UVICORN, CELERY):
        plan = on_cards(server, count=1)
        assert "it_cards.py" not in texts(plan)
        assert plan.services["it"].workers.value == 1
        assert unit_argv(plan, "it")[1:3] == ("-m", "celery" if server is CELERY else "uvicorn")


def test_the_module_is_in_the_image_and_on_the_host() -> None:
    plan = on_cards(CELERY)
    assert unit_argv(plan, "it")[1] == "/opt/shop/deploy/prod/it_cards.py"
    files = texts(plan)
    assert "deploy/prod/it_cards.py" in files["Dockerfile.dockerignore"]
    assert '"/opt/shop/deploy/prod/it_cards.py"' in files["Dockerfile"]
