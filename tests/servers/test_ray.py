"""Ray's head: its command, its settings, and the script around them."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.artifacts import texts
from tests.planner.build import footprint, region
from tests.planner.build import plan as make_plan

from mlpack.errors import SpecError
from mlpack.launchers.process import free_port
from mlpack.plan import Plan
from mlpack.process import Completed, run
from mlpack.servers import ray
from mlpack.units import MIB

HEAD: dict[str, Any] = {"server": "ray", "app": "actors:deploy", "models": ["m"], "cpus": 2.0}


def planned(**more: Any) -> Plan:
    """A head with an object store of 128 MiB in use."""
    store = region("object store", "serve", "shm", "process", 128)
    weights = region("weights", "load", "anonymous", "process", 60)
    return make_plan(
        {"head": {**HEAD, **more}},
        {"head": footprint("head", regions=(weights, store))},
        build={"requirements": "requirements.txt"},
    )


def option(argv: tuple[str, ...], name: str) -> str:
    return argv[argv.index(name) + 1]


def test_the_store_fits_into_the_shared_memory() -> None:
    plan = planned()
    argv = ray.start_argv(plan, "head")
    shared = plan.services["head"].memory.shm_bytes
    assert shared is not None
    assert option(argv, "--object-store-memory") == str(int(0.8 * shared.value))
    assert shared.value >= 128 * MIB
    assert option(argv, "--num-cpus") == "2"
    assert option(argv, "--include-dashboard") == "false"
    assert "--disable-usage-stats" in argv
    assert "--block" in argv, "it ends when one of Ray's own processes does"


def test_the_compose_file_has_memory_settings_and_health() -> None:
    found = texts(planned())
    compose, env = found["compose.yaml"], found["head.env"]
    assert 'shm_size: "160M"' in compose
    assert "head.ray_head.py, health" in compose
    for name, (value, because) in ray.VARIABLES.items():
        assert f"{name}={value}" in env.replace(chr(34), "")
        assert because.split(":")[0] in env
    assert "head.ray_head.py" in found["Dockerfile.dockerignore"], "the image holds its script"


def test_the_script_is_python_with_the_plans_words() -> None:
    text = texts(planned(app="pkg.actors:make'\n"[:16]))["head.ray_head.py"]
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert values["APP"] == "pkg.actors:make'"
    assert values["START"] == list(ray.start_argv(planned(), "head"))
    assert values["NAMESPACE"] == "shop"


def test_a_head_without_actors_is_refused() -> None:
    with pytest.raises(SpecError, match="function that makes the actors"):
        ray.argv(planned(app=None), "head")


def run_head(folder: Path, ray_says: str) -> tuple[Completed, int]:
    """Runs the rendered script with a stand-in for `ray`; what became of it, and how often the head was started."""
    program = folder / "ray"
    program.write_text(f"#!/bin/sh\necho once >>{folder}/starts\n{ray_says}\n")
    program.chmod(0o755)
    script = folder / "head.ray_head.py"
    script.write_text(texts(planned())["head.ray_head.py"].replace("8266", str(free_port())))
    environ = {"PATH": f"{folder}:{os.environ['PATH']}"}
    done = run([sys.executable, str(script)], env=environ, cwd=folder, timeout_s=60, check=False)
    return done, len((folder / "starts").read_text().splitlines())


def test_a_head_that_does_not_start_is_started_three_times(tmp_path: Path) -> None:
    done, starts = run_head(tmp_path, "exit 1")
    assert (done.code, starts) == (1, 3)
    assert done.stdout.count("once more") == 2


def test_nobody_there_is_not_healthy(tmp_path: Path) -> None:
    script = tmp_path / "head.ray_head.py"
    script.write_text(texts(planned())["head.ray_head.py"].replace("8266", str(free_port())))
    done = run([sys.executable, "-I", "-S", str(script), "health", "2"], check=False)
    assert done.code == 1
    assert "ConnectionRefusedError" in done.stdout
