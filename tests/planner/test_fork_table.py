"""The fork table whole: for every server and way to fork how often each part of one process exists. By hand."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from tests.planner.build import CELERY, GUNICORN, UVICORN, footprint, plan, region, subject

from mlpack.planner.memory import rows
from mlpack.planner.moments import fork_point, has_master
from mlpack.planner.subject import Choice
from mlpack.servers import SERVERS, gunicorn

W, C = 3, 4
"""Workers, and requests at once in each."""
REGIONS = (
    region("imported", "import", "anonymous", "process", 100),
    region("files", "import", "mapped", "process", 50),
    region("weights", "load", "anonymous", "process", 500),
    region("mapped weights", "load", "mapped", "process", 70),
    region("while loading", "load", "anonymous", "moment", 200),
    region("kept", "serve", "anonymous", "process", 10),
    region("request", "serve", "anonymous", "request", 30),
    region("store", "serve", "shm", "process", 20),
)
SHARED = {"files": 1, "mapped weights": 1, "store": 1}
"""Pages of files and shared memory: once per container, whoever forks."""


class Row(NamedTuple):
    """A row of the table: how it runs, where workers part, whether there is a master, and what then exists."""

    service: dict[str, Any]
    choice: Choice
    point: str
    master: bool
    imported: int
    weights: int
    loading: int
    """Workers that load at once at the start."""
    requests: int
    copies: int
    """Children that unshare pages of what was there before the fork."""


SYNC: dict[str, Any] = {**GUNICORN, "interface": "wsgi", "endpoint": None}
ASGI: dict[str, Any] = {**GUNICORN, "interface": "asgi", "endpoint": "async"}
TABLE = {
    "gunicorn sync": Row(SYNC, Choice(W, 1, 1), "before-import", True, W, W, W, W, 0),
    "gunicorn sync, preload": Row(SYNC, Choice(W, 1, 1, preload=True), "after-load", True, 1, 1, 1, W, W),
    "gunicorn sync, in turn": Row(SYNC, Choice(W, 1, 1, in_turn=True), "before-import", True, W, W, 1, W, 0),
    "gunicorn gthread": Row(SYNC, Choice(W, 1, C), "before-import", True, W, W, W, W * C, 0),
    "gunicorn gthread, preload": Row(SYNC, Choice(W, 1, C, preload=True), "after-load", True, 1, 1, 1, W * C, W),
    "gunicorn asgi": Row(ASGI, Choice(W, 1, 1), "before-import", True, W, W, W, W, 0),
    "gunicorn asgi, preload": Row(ASGI, Choice(W, 1, 1, preload=True), "after-load", True, 1, 1, 1, W, W),
    "uvicorn, one": Row(UVICORN, Choice(1, 1, C), "never", False, 1, 1, 1, C, 0),
    "uvicorn, several": Row(UVICORN, Choice(W, 1, C), "never", True, W, W, W, W * C, 0),
    "celery prefork": Row({**CELERY, "pool": "prefork"}, Choice(W, 1, 1), "after-import", True, 1, W, W, W, W),
    "celery threads": Row({**CELERY, "pool": "threads"}, Choice(1, 1, C), "never", False, 1, 1, 1, C, 0),
    "celery solo": Row({**CELERY, "pool": "solo"}, Choice(1, 1, 1), "never", False, 1, 1, 1, 1, 0),
}


@pytest.mark.parametrize("name", TABLE)
def test_how_often_everything_exists(name: str) -> None:
    row = TABLE[name]
    one = subject(row.service, footprint(regions=REGIONS, fork_proven=True, unshared_bytes=7))
    assert fork_point(one, row.choice) == row.point
    assert has_master(one, row.choice) is row.master
    start = {found.name: found.times for found in rows(one, row.choice, "load")}
    work = {found.name: found.times for found in rows(one, row.choice, "serve")}
    workers = row.choice.workers
    assert {key: work[key] for key in SHARED} == SHARED
    assert (work["imported"], work["weights"]) == (row.imported, row.weights)
    assert (work["kept"], work["request"]) == (workers, row.requests)
    assert "while loading" not in work
    assert work.get("copied on write", 0) == row.copies
    assert start["while loading"] == row.loading
    assert (start["imported"], start["weights"]) == (row.imported, row.weights)
    already = workers - 1 if row.choice.in_turn else 0
    assert (start.get("kept", 0), start.get("request", 0)) == (already, already * row.choice.concurrency)
    # the master beside workers adds what is its own; a preloaded one is the loaded app itself
    own = f"{one.facts.name} master"
    assert (own in work) is (row.master and row.point != "after-load")


def test_every_program_that_runs_an_app_has_its_rows() -> None:
    named = {name.replace(",", "").split()[0] for name in TABLE}
    assert named == {server.FACTS.name for server in SERVERS.values() if server.FACTS.role in ("app", "worker")}
    pools = SERVERS["celery"].FACTS.pools
    assert {f"celery {pool}" for pool in pools} <= set(TABLE)


@pytest.mark.parametrize(("service", "concurrency", "worker_class"), [(SYNC, 1, "sync"), (SYNC, C, "gthread")])
def test_gunicorns_class_is_the_tables(service: dict[str, Any], concurrency: int, worker_class: str) -> None:
    made = plan({"web": {**service, "concurrency": concurrency}})
    assert gunicorn.worker_class(made, "web") == worker_class


def test_an_asgi_app_runs_in_gunicorns_own_worker() -> None:
    assert gunicorn.worker_class(plan({"web": ASGI}), "web") == "asgi"
