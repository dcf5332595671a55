"""Ollama under compose: its variables, container and checks; the step that fills its store, run by a real shell.

The program itself cannot be had where mlpack is tested (no registry): a stand-in on PATH takes the calls.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.artifacts import texts
from tests.planner.build import host
from tests.planner.gpu_build import model, plan_on

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.process import run
from mlpack.servers.ollama import models_argv
from mlpack.units import GIB

MODELS: dict[str, Any] = {
    "m": {"path": "weights/my model.gguf", "max_input": {"tokens": 4096}},
    "pulled": {"hub": "llama3.2:3b", "max_input": {"tokens": 8192}},
}


def planned(models: dict[str, Any] | None = None, **more: Any) -> Plan:
    known = models or MODELS
    services = {"llm": {"server": "ollama", "models": list(known), "device": "cpu", **more}}
    info = model(1e9, "Q4_0", format_="gguf")
    return plan_on(host(64 * GIB, 8), services, info=info, runtime="llama_cpp", models=known)


def rendered(plan: Plan) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(texts(plan)["compose.yaml"])
    return found


def test_its_container() -> None:
    plan = planned(concurrency=2)
    made = rendered(plan)
    llm = made["services"]["llm"]
    assert llm["image"] == "ollama/ollama:0.24.0"
    assert (llm["entrypoint"], llm["command"]) == (["/bin/ollama"], ["serve"])
    assert llm["healthcheck"]["test"] == ["CMD", "ollama", "list"]
    assert llm["cap_drop"] == ["ALL"]
    assert "user" not in llm  # root without rights: the image's folders are root's
    assert {"type": "volume", "source": "llm-data", "target": "/root/.ollama"} in llm["volumes"]
    assert "llm-data" in made["volumes"]
    assert llm["deploy"]["resources"]["limits"]["memory"]
    assert llm["depends_on"] == {"llm-step-1": {"condition": "service_completed_successfully"}}
    assert "compose.gpu.yaml" not in texts(plan)


def test_its_variables_are_real_ones_with_reasons() -> None:
    lines = texts(planned(concurrency=2))["llm.env"].splitlines()
    assert {line for line in lines if line.startswith("OLLAMA_")} == {
        'OLLAMA_HOST="0.0.0.0:11434"',
        'OLLAMA_NUM_PARALLEL="2"',
        'OLLAMA_MAX_LOADED_MODELS="2"',
        'OLLAMA_KEEP_ALIVE="-1"',
        'OLLAMA_CONTEXT_LENGTH="8192"',
    }
    assert not any("HF_" in line for line in lines)
    assert sum(line.startswith("# ") for line in lines) >= 7


def test_a_smaller_cache_needs_flash_attention() -> None:
    one = {"m": {**MODELS["m"], "cache_dtype": "q8_0"}}
    text = texts(planned(one))["llm.env"]
    assert 'OLLAMA_KV_CACHE_TYPE="q8_0"' in text
    assert 'OLLAMA_FLASH_ATTENTION="1"' in text
    with pytest.raises(SpecError, match="keeps no cache in bf16"):
        texts(planned({"m": {**MODELS["m"], "cache_dtype": "bf16"}}))
    mixed = {"m": {**MODELS["m"], "cache_dtype": "q8_0"}, "n": {**MODELS["m"], "cache_dtype": "q4_0"}}
    with pytest.raises(SpecError, match="in one dtype"):
        texts(planned(mixed))


def test_the_step_runs_in_its_image_and_may_reach_the_registry() -> None:
    made = rendered(planned())["services"]
    step = made["llm-step-1"]
    assert step["image"] == made["llm"]["image"]
    assert step["entrypoint"] == ["sh"]
    assert step["restart"] == "no"
    assert {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"} <= set(step["environment"])
    assert step["volumes"] == made["llm"]["volumes"]
    assert "devices" not in str(step)


STAND_IN = """#!/bin/sh
case $1 in
    serve) touch "$STATE/up"; trap 'touch "$STATE/stopped"; exit 0' TERM; while :; do sleep 0.1; done ;;
    list) [ -e "$STATE/up" ] ;;
    show) [ -e "$STATE/here" ] ;;
    pull) echo "pull $2" >>"$STATE/log" ;;
    create) echo "create $2" >>"$STATE/log"; cat "$4" >>"$STATE/log" ;;
    *) exit 9 ;;
esac
"""


@pytest.mark.parametrize("here", [False, True])
def test_the_step_fills_the_store_once_and_tells_the_threads(here: bool, tmp_path: Path) -> None:
    plan = planned(threads=3)
    program = tmp_path / "ollama"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    if here:
        (tmp_path / "here").touch()
    environ = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin", "STATE": str(tmp_path)}
    run(("sh", *models_argv(plan, "llm")), env=environ, timeout_s=30)
    assert (tmp_path / "log").read_text().splitlines() == [
        "create m",
        "FROM /opt/shop/weights/my model.gguf",
        "PARAMETER num_thread 3",
        *([] if here else ["pull llama3.2:3b"]),
        "create llama3.2:3b",
        "FROM llama3.2:3b",
        "PARAMETER num_thread 3",
    ]


def test_a_server_that_dies_ends_the_step(tmp_path: Path) -> None:
    program = tmp_path / "ollama"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    environ = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = run(("sh", *models_argv(planned(), "llm")), env=environ, timeout_s=30, check=False)
    assert done.code == 1
