"""The planned pools in a real Celery worker: which processes and threads run the tasks, and who ends a long one."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.artifacts import write_files
from tests.planner.build import plan

from mlpack.servers import celery

pytestmark = pytest.mark.slow

TASKS = """
import json, os, threading, time
from celery import Celery

app = Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {name: "queue" for name in ("data_folder_in", "data_folder_out")}
app.conf.broker_transport_options["control_folder"] = "control"

@app.task(name="tasks.work")
def work(seconds):
    began = time.monotonic()
    time.sleep(seconds)
    with open("done", "a") as log:
        log.write(json.dumps([os.getpid(), threading.get_ident(), began, time.monotonic()]) + "\\n")
"""
PATIENCE_S = 60
Row = tuple[int, int, float, float]


@contextmanager
def worker(folder: Path, **asked: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The command as it is rendered, in ``folder``."""
    (folder / "tasks.py").write_text(TASKS)
    for name in ("queue", "control"):
        (folder / name).mkdir()
    made = plan({"it": {"server": "celery", "app": "tasks:app", **asked}}, build={"requirements": "requirements.txt"})
    write_files(made, folder)
    argv = (sys.executable, "-m", *celery.argv(made, "it"))
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(argv, cwd=folder, stdout=log, stderr=log)
        try:
            yield running
        finally:
            running.terminate()
            try:
                running.wait(20)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


def send(folder: Path, *seconds: float) -> None:
    """Tasks of so many seconds each."""
    code = f"import tasks\nfor s in {seconds!r}: tasks.work.delay(s)"
    subprocess.run((sys.executable, "-c", code), cwd=folder, check=True, timeout=PATIENCE_S)


def done(folder: Path, count: int) -> list[Row]:
    """The first ``count`` finished tasks."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        log = folder / "done"
        rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        if len(rows) >= count:
            return [tuple(row) for row in rows]
        time.sleep(0.1)
    raise AssertionError((folder / "log").read_text())


def together(rows: list[Row]) -> int:
    """The most tasks that ran at the same moment."""
    return max(sum(other[2] <= row[2] < other[3] for other in rows) for row in rows)


@pytest.mark.parametrize(
    ("asked", "own_process", "shape"),
    [
        ({"pool": "prefork", "workers": 2}, False, (2, 1, 2)),
        ({"pool": "threads", "concurrency": 2}, True, (1, 2, 2)),
        ({"pool": "solo"}, True, (1, 1, 1)),
    ],
    ids=["prefork", "threads", "solo"],
)
def test_tasks_run_where_the_plan_says(
    tmp_path: Path, asked: dict[str, Any], own_process: bool, shape: tuple[int, int, int]
) -> None:
    """``shape``: processes that run tasks, threads in each, tasks at once."""
    processes, threads, at_once = shape
    with worker(tmp_path, **asked) as running:
        send(tmp_path, *[2.0] * 4)
        rows = done(tmp_path, 4)
        pids = {row[0] for row in rows}
        assert len(pids) == processes
        assert (running.pid in pids) is own_process
        assert max(len({row[1] for row in rows if row[0] == pid}) for pid in pids) == threads
        assert together(rows) == at_once


@pytest.mark.parametrize(("pool", "ended"), [("prefork", True), ("threads", False), ("solo", False)])
def test_only_prefork_ends_a_task_that_takes_too_long(tmp_path: Path, pool: str, ended: bool) -> None:
    """A stated second means a soft limit of 6 s: a task of 8 s is ended by prefork, and finishes elsewhere."""
    with worker(tmp_path, pool=pool, workers=1, timeout_s=1) as _:
        send(tmp_path, 8.0, 0.0)
        rows = done(tmp_path, 1 if ended else 2)
        longest = max(row[3] - row[2] for row in rows)
        assert (longest < 8) is ended
        end = time.monotonic() + PATIENCE_S * ended  # the parent logs it, perhaps after the child's next task is done
        while not (said := "SoftTimeLimitExceeded" in (tmp_path / "log").read_text()) and time.monotonic() < end:
            time.sleep(0.1)
        assert said is ended
