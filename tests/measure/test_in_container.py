"""`estimate --measure --in-container`: the built image's own Python, user and mounts, the worker's memory known."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from mlpack.footprint import Footprint, FootprintFile
from mlpack.launchers import engine
from mlpack.process import run
from mlpack.units import MIB

pytestmark = pytest.mark.engine
SPEC = """
name: twomodels
build: {python: "3.11", requirements: requirements.txt}
models:
  left: {path: weights/left.safetensors, runtime: torch, max_input: {shape: [4]}}
  right: {path: weights/right.safetensors, runtime: torch, max_input: {shape: [4]}}
services:
  web:
    server: gunicorn
    app: "app:app"
    port: 8000
    health: /health
    models: [left, right]
    workers: 1
    env: {LEFT: {from: left.path}, RIGHT: {from: right.path}}
requests:
  ask: {largest: true, to: web, post: /ask, json: {text: hello}}
"""
APP = """
import mmap, os

copied = bytearray(open(os.environ["LEFT"], "rb").read())
with open(os.environ["RIGHT"], "rb") as file:
    view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
sum(view[i] for i in range(0, len(view), 4096))
assert os.getuid() != 0 and not os.access("/opt/twomodels", os.W_OK), "not as rendered"
BEHAVE = "{behave}"

def app(environ, start_response):
    if BEHAVE == "hang":
        import threading
        threading.Event().wait()
    held = mmap.mmap(-1, 20 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(0, len(held), 4096):
        held[page] = 1
    status = "500 Broken" if BEHAVE == "break" else "200 OK"
    start_response(status, [("Content-Type", "text/plain")])
    return [b"fine"]
"""
LEFT_MIB, RIGHT_MIB = 40, 30


def write_project(root: Path, behave: str = "") -> None:
    """A small web service with one model that is copied and one that is mapped."""
    (root / "mlpack.yaml").write_text(SPEC)
    (root / "requirements.txt").write_text("gunicorn>=25\n")
    (root / "app.py").write_text(APP.replace("{behave}", behave))
    (root / "weights").mkdir()
    for name, mib in (("left", LEFT_MIB), ("right", RIGHT_MIB)):
        count = mib * MIB // 4
        header = json.dumps({"w": {"dtype": "F32", "shape": [count], "data_offsets": [0, 4 * count]}}).encode()
        content = struct.pack("<Q", len(header)) + header + os.urandom(4 * count)
        (root / "weights" / f"{name}.safetensors").write_bytes(content)


def mlpack(root: Path, *words: str, timeout_s: float = 600) -> tuple[int, str]:
    """Exit code and everything said."""
    done = run([sys.executable, "-m", "mlpack", *words, "-C", str(root)], timeout_s=timeout_s, check=False)
    return done.code, done.stdout + done.stderr


def left_of(root: Path) -> list[str]:
    """Containers and networks of runs for ``root``: compose labels them with the project's folder."""
    found = engine.docker(
        ("ps", "--all", "--format", '{{.Names}} {{.Label "com.docker.compose.project.working_dir"}}'), os.environ
    )
    return [line for line in found.stdout.splitlines() if str(root) in line]


def region(footprint: Footprint, name: str) -> float:
    """MiB of region ``name``."""
    return sum(r.bytes for r in footprint.regions if r.name == name) / MIB


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    """The project with its deployment, planned from estimates."""
    write_project(tmp_path)
    code, said = mlpack(tmp_path, "render", "prod")
    assert code == 0, said
    return tmp_path


def test_the_image_is_measured_and_each_model_named(rendered: Path) -> None:
    code, said = mlpack(rendered, "estimate", "--measure", "--in-container")
    assert code == 0, said
    footprint = FootprintFile.model_validate_json((rendered / "footprint.json").read_text()).services["web"]
    assert abs(region(footprint, "weights of left") - LEFT_MIB) < 3
    assert abs(region(footprint, "weights mapped, right") - RIGHT_MIB) < 1
    serving = region(footprint, "activations") * footprint.concurrency + region(footprint, "warm state")
    assert abs(serving + region(footprint, "activations of one") - 20 * footprint.concurrency) < 4
    assert 0.5 < region(footprint, "kernel") < 20
    assert region(footprint, "app") < 3
    assert footprint.fork_proven
    assert "cache warm" not in said, said
    assert left_of(rendered) == []
    code, said = mlpack(rendered, "plan", "prod", "--explain")
    assert "weights of left" in mlpack(rendered, "estimate")[1]


@pytest.mark.parametrize(("behave", "words"), [("break", ["wrong answer", "500, not 200"])])
def test_a_failure_is_told_and_nothing_stays(rendered: Path, behave: str, words: list[str]) -> None:
    (rendered / "app.py").write_text(APP.replace("{behave}", behave))
    code, said = mlpack(rendered, "estimate", "--measure", "--in-container")
    assert code == 1, said
    assert all(word in said for word in words), said
    assert "Traceback" not in said.partition("last words")[0]
    assert not (rendered / "footprint.json").exists()
    assert left_of(rendered) == []


def test_an_end_in_the_middle_of_a_request_leaves_nothing(rendered: Path) -> None:
    (rendered / "app.py").write_text(APP.replace("{behave}", "hang"))
    argv = [sys.executable, "-m", "mlpack", "estimate", "--measure", "--in-container", "-C", str(rendered)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if "the largest request, the first time" in line:
                break
        assert left_of(rendered) != []
        child.send_signal(signal.SIGTERM)  # as Ctrl-C; that one is ignored below a shell's background job
        said = child.stdout.read()
    assert child.returncode == 130, said
    assert left_of(rendered) == []


def test_without_a_render_it_says_how(tmp_path: Path) -> None:
    write_project(tmp_path)
    code, said = mlpack(tmp_path, "estimate", "--measure", "--in-container")
    assert code == 2
    assert "mlpack render prod" in said
