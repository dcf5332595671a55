"""A worker's health: who has a mark to look at, and what the rendered check says of it."""

from __future__ import annotations

import gc
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from tests.artifacts import texts
from tests.planner.build import CELERY
from tests.planner.build import plan as make_plan

from mlpack.plan import Plan
from mlpack.process import run
from mlpack.servers.celery import argv
from mlpack.servers.heartbeat import heartbeat_path
from mlpack.targets.systemd_programs import unit_argv

BUILD = {"requirements": "requirements.txt"}


def test_the_worker_imports_what_its_check_reads() -> None:
    plan = make_plan({"jobs": CELERY}, build=BUILD)
    rendered = texts(plan)
    words = argv(plan, "jobs")
    assert words[words.index("--include") + 1] == "deploy.prod.jobs_heartbeat"
    test = yaml.safe_load(rendered["compose.yaml"])["services"]["jobs"]["healthcheck"]["test"]
    assert test == ["CMD", "python", "-I", "-S", "/opt/shop/deploy/prod/jobs_heartbeat.py", "30"]
    assert "!deploy/prod/jobs_heartbeat.py" in rendered["Dockerfile.dockerignore"]


def test_who_has_none() -> None:
    plan = make_plan({"jobs": {**CELERY, "pool": "solo"}}, build=BUILD)
    assert heartbeat_path(plan, "jobs") is None
    assert "--include" not in argv(plan, "jobs")


@pytest.mark.parametrize(("service", "more"), [({"image": "own:1"}, {}), ({}, {"dockerfile": "Dockerfile"})])
def test_an_image_of_the_users_own_may_start_celery_anywhere(
    tmp_path: Path, service: dict[str, Any], more: dict[str, Any]
) -> None:
    """The module is mounted, and found whatever the working folder and whatever PYTHONPATH the image has."""
    plan = make_plan({"jobs": {**CELERY, **service}}, build=BUILD | more, root=str(tmp_path))
    jobs = yaml.safe_load(texts(plan)["compose.yaml"])["services"]["jobs"]
    target = f"{tmp_path}/deploy/prod/jobs_heartbeat.py"
    assert target in [mount["target"] for mount in jobs["volumes"]]
    assert jobs["healthcheck"]["test"] == ["CMD", "python", "-I", "-S", target, "30"]
    shell, c, script, folder, program, *words = argv(plan, "jobs")
    assert (program, words[words.index("--include") + 1]) == ("celery", "jobs_heartbeat")
    asked = "import sys; print([path for path in sys.path if path in sys.argv[1:]])"
    for own in ({}, {"PYTHONPATH": "/own"}):
        done = run((shell, c, script, folder, sys.executable, "-c", asked, folder, "/own"), env={**os.environ, **own})
        assert done.stdout.strip() == repr([*own.values(), folder])


def test_the_mark_is_looked_at(tmp_path: Path) -> None:
    mark, script = tmp_path / "mark", tmp_path / "check.py"
    text = texts(make_plan({"jobs": CELERY}, build=BUILD))["jobs_heartbeat.py"]
    script.write_text(text.replace('"/tmp/celery-heartbeat"', repr(str(mark))))
    check = (sys.executable, "-I", "-S", str(script), "30")
    done = run(check, check=False)
    assert (done.code, "no heartbeat yet" in done.stdout) == (1, True)
    mark.touch()
    assert run(check, check=False).code == 0
    os.utime(mark, (time.time() - 60, time.time() - 60))
    done = run(check, check=False)
    assert (done.code, "60 s ago" in done.stdout) == (1, True)


def unit(plan: Plan) -> list[str]:
    """The lines of the worker's unit that are about its watchdog."""
    lines = texts(plan)["shop-jobs.service"].splitlines()
    return [line for line in lines if line.startswith(("NotifyAccess", "Environment=MLPACK", "WatchdogSec"))]


def test_a_unit_imports_what_tells_systemd() -> None:
    plan = make_plan({"jobs": CELERY}, build=BUILD, target="systemd")
    words = unit_argv(plan, "jobs")
    assert words[words.index("--include") + 1 : words.index("--") + 1] == ("deploy.prod.systemd.jobs_watchdog", "--")
    assert "--include" not in argv(plan, "jobs"), "local processes have neither the file nor systemd"
    again = plan.services["jobs"].times.redelivery_s
    assert again is not None
    assert unit(plan) == ["NotifyAccess=main", f"Environment=MLPACK_SILENT_S={again.value}"]
    assert heartbeat_path(plan, "jobs") is None


def test_a_solo_unit_tells_nothing() -> None:
    plan = make_plan({"jobs": {**CELERY, "pool": "solo"}}, build=BUILD, target="systemd")
    assert "--include" not in unit_argv(plan, "jobs")
    assert unit(plan) == []
    assert "jobs_watchdog.py" not in texts(plan)


def signals(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Callable[[], None]]]:
    """Stands in Celery's place; who connected to what."""
    receivers: dict[str, list[Callable[[], None]]] = {"heartbeat_sent": [], "worker_before_create_process": []}
    made = SimpleNamespace(**{name: SimpleNamespace(connect=heard.append) for name, heard in receivers.items()})
    monkeypatch.setitem(sys.modules, "celery", SimpleNamespace(signals=made))
    monkeypatch.setitem(sys.modules, "celery.signals", made)
    return receivers


@pytest.mark.parametrize(("target", "module"), [("compose", "jobs_heartbeat.py"), ("systemd", "jobs_watchdog.py")])
@pytest.mark.parametrize(("pool", "frozen"), [("prefork", True), ("threads", False)])
def test_what_children_share_is_kept_from_their_collectors(
    monkeypatch: pytest.MonkeyPatch, target: str, module: str, pool: str, *, frozen: bool
) -> None:
    receivers = signals(monkeypatch)
    text = texts(make_plan({"jobs": {**CELERY, "pool": pool}}, build=BUILD, target=target))[module]
    exec(compile(text, module, "exec"), {"__name__": "module"})
    assert len(receivers["worker_before_create_process"]) == frozen
    before = gc.get_freeze_count()
    try:
        for freeze in receivers["worker_before_create_process"]:
            freeze()
        assert (gc.get_freeze_count() > before) is frozen
    finally:
        gc.unfreeze()


@pytest.mark.parametrize(("target", "module"), [("compose", "jobs_heartbeat.py"), ("systemd", "jobs_watchdog.py")])
def test_an_older_celery_without_the_signal_starts_all_the_same(
    monkeypatch: pytest.MonkeyPatch, target: str, module: str
) -> None:
    made = SimpleNamespace(heartbeat_sent=SimpleNamespace(connect=lambda _: None))
    monkeypatch.setitem(sys.modules, "celery", SimpleNamespace(signals=made))
    monkeypatch.setitem(sys.modules, "celery.signals", made)
    exec(
        compile(texts(make_plan({"jobs": CELERY}, build=BUILD, target=target))[module], module, "exec"),
        {"__name__": ""},
    )


@pytest.mark.parametrize(("silent", "told"), [("7", b"WATCHDOG_USEC=7000000\nWATCHDOG=1"), ("0", None), (None, None)])
def test_each_heartbeat_is_told_and_nobody_who_hears_nothing_is_hindered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: str | None, told: bytes | None
) -> None:
    """The module itself, with a signal in Celery's place."""
    receivers = signals(monkeypatch)["heartbeat_sent"]
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.delenv("MLPACK_SILENT_S", raising=False)
    if silent is not None:
        monkeypatch.setenv("MLPACK_SILENT_S", silent)
    text = texts(make_plan({"jobs": CELERY}, build=BUILD, target="systemd"))["jobs_watchdog.py"]
    exec(compile(text, "jobs_watchdog.py", "exec"), {})
    assert len(receivers) == (told is not None)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        for tell in receivers:
            tell()  # nobody listens yet: no error
        heard.bind(str(tmp_path / "notify"))
        for tell in receivers:
            tell()
            assert heard.recv(200) == told
