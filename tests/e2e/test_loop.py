"""The loop closes on a real service: a fault is named, --fix mends it, --calibrate corrects the footprint, the next
plan rests on it and passes; then tune finds limit, workers and batch with real containers, and is gone on with."""

from __future__ import annotations

import functools
import json
import os
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlpack.commands.render import render_command
from mlpack.commands.tune import tune_command
from mlpack.commands.verify import verify_command
from mlpack.flow.gather import read_footprints
from mlpack.launchers import engine
from mlpack.lock import LOCK_NAME, Lock
from mlpack.process import run
from mlpack.report import VerifyReport
from mlpack.tune.trial import STATE_NAME, State
from mlpack.tune.wanted import Wanted
from mlpack.units import MIB
from mlpack.verify import verify
from mlpack.verify.checks import CHECKS

pytestmark = pytest.mark.engine
PROFILES = ("prod",)
HELD_MIB = 8
"""A worker holds: so little that the planned allowances (master, health check) are half of the prediction."""
MOST_ROWS = 3
SPEC = """\
name: loop   # by hand
build: {python: "3.11", requirements: requirements.txt}
models:
  rows: {path: rows.safetensors, runtime: torch, max_input: {batch: 2}}
services:
  web:
    {server: gunicorn, app: "app:app", interface: wsgi, port: 8000, health: /health, models: [rows], workers: 2}
requests:
  two: {largest: true, to: web, post: /predict, json: {rows: [1, 2]}, expect: {json: {sum: 3}}}
verify: {requests: 40}
"""
APP = f"""\
import json, os
here = os.path.join(os.path.dirname(__file__), "cache")
os.makedirs(here, exist_ok=True)
open(os.path.join(here, "compiled.bin"), "wb").close()
held = os.urandom({HELD_MIB} << 20)

def app(environ, start_response):
    status, value = "200 OK", {{"ready": True}}
    if environ["PATH_INFO"] != "/health":
        try:
            rows = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))["rows"]
            assert len(rows) <= {MOST_ROWS}
            for _ in range(40):
                value = {{"sum": sum(rows)}}
                bytes(1 << 20).find(b"x")
        except Exception:
            status, value = "400 Bad Request", {{"error": "what is that?"}}
    body = json.dumps(value).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
"""
ASKED = ("builds", "starts", "ready", "every_worker", "planned", "answers", "load", "memory", "oom_kills", "teardown")
"""Checks that the loop is about: the others have tests of their own, and take their seconds."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project whose app writes into its own folder, which the rendered container does not allow."""
    root = tmp_path_factory.mktemp("loop")
    (root / "mlpack.yaml").write_text(SPEC)
    (root / "app.py").write_text(APP)
    (root / "requirements.txt").write_text("gunicorn==27.0.1\n")
    header = json.dumps({"w": {"dtype": "F32", "shape": [64, 64], "data_offsets": [0, 16384]}}).encode()
    (root / "rows.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(16384))
    with pytest.MonkeyPatch.context() as patch:
        skip = [name for name in CHECKS if name not in ASKED]
        patch.setattr("mlpack.commands.verify.verify", functools.partial(verify, skip=skip))
        patch.setattr("mlpack.verify.checks.every_worker.LEAST_S", 2.0)
        patch.setattr("mlpack.tune.search.STEP_BYTES", 24 * MIB)
        yield root
    run(["docker", "image", "rm", "loop:mlpack-verify"], check=False)


def render(root: Path) -> Lock:
    """Rendered for this machine."""
    told = {"reprobe": False, "force": False, "write": True, "show_diff": False}
    assert render_command(root, PROFILES, None, **told) == 0
    return Lock.model_validate_json((root / "deploy" / "prod" / LOCK_NAME).read_text())


def proven(root: Path, *, fix: bool = False, calibrate: bool = False) -> tuple[int, VerifyReport]:
    """Exit status of `mlpack verify`, and the report that it left."""
    code = verify_command(root, PROFILES, "compose", None, (), as_json=True, fix=fix, calibrate=calibrate)
    return code, VerifyReport.model_validate_json((root / "deploy" / "prod" / "verify.json").read_text())


def failed(report: VerifyReport) -> dict[str, str | None]:
    """Failed checks and their causes."""
    return {one.name: one.cause for one in report.checks if one.status == "failed"}


def left() -> list[str]:
    """Containers, networks, volumes and folders of this process's runs that still exist."""
    mine = f"pid={os.getpid()} "
    things = [found.ident for found in engine.labelled(os.environ) if mine in found.label]
    return things + [str(path) for path in Path(tempfile.gettempdir()).glob(f"mlpack-verify-*{os.getpid()}*")]


def test_a_fault_is_named_mended_calibrated_and_then_it_passes(project: Path) -> None:
    render(project)
    code, report = proven(project, fix=True)
    assert (code, failed(report)) == (1, {"ready": "read-only"}), report.to_json()
    text = (project / "mlpack.yaml").read_text()
    assert "/opt/loop/cache" in text
    assert "# by hand" in text
    assert (project / "mlpack.yaml.before-fix").read_text() == SPEC

    guessed = render(project)
    code, report = proven(project, calibrate=True)
    assert set(failed(report)) <= {"memory"}, report.to_json()  # the estimate is of torch, which this app only claims
    (web,) = read_footprints(project).services.values()
    assert web.source == "measured"
    assert web.sum_bytes("anonymous", "import", "load", "serve") > HELD_MIB << 20

    planned = render(project).plan.services["web"]
    assert planned.footprint_source == "measured"
    assert planned.memory.peak_bytes != guessed.plan.services["web"].memory.peak_bytes
    code, report = proven(project)
    assert (code, failed(report)) == (0, {}), report.to_json()
    (measured,) = report.services
    assert measured.predicted_bytes == planned.memory.peak_bytes
    assert left() == []


def test_tune_finds_limit_workers_and_batch_and_goes_on_where_it_was(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {p: p.read_bytes() for p in project.rglob("*") if p.is_file()}
    what = ("limit", "workers", "batch")
    assert tune_command(project, PROFILES, Wanted(what, None, 4), "compose", None, fix=False) == 1
    file = project / "deploy" / "prod" / STATE_NAME
    kept = State.model_validate_json(file.read_text()).trials
    assert kept, "the first trial begins while there is time"
    capsys.readouterr()

    assert tune_command(project, PROFILES, Wanted(what, None, 300), "compose", None, fix=False) == 0
    said = capsys.readouterr()
    trials = State.model_validate_json(file.read_text()).trials
    assert trials[: len(kept)] == kept
    assert said.err.count("tried before") >= len(kept)
    limits = {one.settings["limit_mib"]: one.good for one in trials if "limit_mib" in one.settings}
    assert 2 * HELD_MIB < min(mib for mib, good in limits.items() if good) < max(limits), "less than was planned holds"
    assert all(mib > 2 * HELD_MIB for mib in limits), "below what is surely needed nothing is tried"
    pairs = {(one.settings["workers"], one.settings["threads"]) for one in trials if "workers" in one.settings}
    assert (2, 1) in pairs
    assert "is best (within 5 %, fewer processes win)" in said.out
    assert f"batch: {MOST_ROWS} fits, {MOST_ROWS + 1} does not" in said.out
    assert f"models.rows.max_input.batch: 2 -> {MOST_ROWS}" in said.out
    after = {p: p.read_bytes() for p in project.rglob("*") if p.is_file() and p != file}
    assert after == before, "tune tries in a copy"
    assert left() == []
