"""A worker on a card: the framework's counters in the child, NVML's in the parent, and the regions made of both.

torch is a stand-in of its few counters in the project's folder; NVML answers through its real binding. No card has
confirmed what the real ones say.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.nvml_standin import build

from mlpack.footprint import Region
from mlpack.measure.card_regions import UNTOLD, card_regions
from mlpack.measure.on_card import card_counters
from mlpack.measure.result import CardReading, StageName

pytestmark = pytest.mark.slow

TORCH = '''
"""Counters as torch.cuda has them; `take` and `give` are what tensors do."""
import types
MIB = 1 << 20
state = {"used": 0, "peak": 0, "held": 0, "held_peak": 0, "on": False}
def take(mib):
    state["on"] = True
    state["used"] += mib
    state["peak"] = max(state["peak"], state["used"])
    state["held"] = max(state["held"], state["used"] + 2)
    state["held_peak"] = max(state["held_peak"], state["held"])
def give(mib):
    state["used"] -= mib
def reset(device):
    state["peak"], state["held_peak"] = state["used"], state["held"]
cuda = types.SimpleNamespace(
    is_initialized=lambda: state["on"], device_count=lambda: 1,
    memory_allocated=lambda d: state["used"] * MIB, max_memory_allocated=lambda d: state["peak"] * MIB,
    memory_reserved=lambda d: state["held"] * MIB, max_memory_reserved=lambda d: state["held_peak"] * MIB,
    reset_peak_memory_stats=reset,
)
'''
TENSORFLOW = '''
"""TensorFlow's counters as tf.config.experimental documents them: by `GPU:N`, in bytes; what is held is not told."""
import types
MIB = 1 << 20
state = {"used": 0, "peak": 0}
class OpError(Exception): pass
errors = types.SimpleNamespace(OpError=OpError)
def take(mib):
    state["used"] += mib
    state["peak"] = max(state["peak"], state["used"])
def give(mib):
    state["used"] -= mib
def told(device):
    assert device == "GPU:0", device
    return {"current": state["used"] * MIB, "peak": state["peak"] * MIB}
def reset(device):
    assert device == "GPU:0", device
    state["peak"] = state["used"]
config = types.SimpleNamespace(
    list_physical_devices=lambda kind: ["card"] if kind == "GPU" else [], list_logical_devices=lambda kind: ["card"],
    experimental=types.SimpleNamespace(get_memory_info=told, reset_memory_stats=reset),
)
'''
APP = """
import os, threading, torch
lock, calls, meet = threading.Lock(), [0], threading.Barrier(2)
torch.take(100)
if "NVML_ANSWERS" in os.environ:
    with open(os.environ["NVML_ANSWERS"], "w") as out:
        out.write(f"driver 580.1\\ncuda 13000\\ncount 1\\n0.processes 2\\n")
        out.write(f"0.process0 {os.getpid()} {(102 + 400) << 20}\\n0.process1 1 {7 << 30}\\n")
def app(environ, start_response):
    with lock:
        calls[0] += 1
        torch.take(30)
    if calls[0] > 2:
        meet.wait(60)
    with lock:
        torch.give(30)
    if calls[0] > 2:
        meet.wait(60)
    start_response("200 OK", [])
    return [b"fine"]
"""
MEASURE = """
import json, os, sys
from pathlib import Path
from mlpack.measure.request import RawRequest
from mlpack.measure.run import measure
from mlpack.measure.subject import Subject
root = Path(sys.argv[1])
request = RawRequest("largest", "POST", "/predict", (("Content-Type", "text/plain"),), b"", 200)
env = {key: os.environ[key] for key in ("PATH", "NVML_ANSWERS") if key in os.environ}
subject = Subject("web", "service:app", root, Path(sys.executable), request, env, server="none", model_files=())
print(measure(subject, concurrency=2, threads=1).model_dump_json())
"""
MIB = 1 << 20


def measured(
    folder: Path, env: dict[str, str], framework: str = "torch"
) -> tuple[dict[str, tuple[int, str]], list[str]]:
    """(MiB, per) of every region on the card, by name; and the notes. In a child, which may load another NVML."""
    (folder / f"{framework}.py").write_text({"torch": TORCH, "tensorflow": TENSORFLOW}[framework])
    (folder / "service.py").write_text(APP.replace("torch", framework))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(folder)], env=env, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    regions = [one for one in said["footprint"]["regions"] if one["kind"] == "gpu"]
    assert all(one["source"] == "measured" for one in regions)
    return {one["name"]: (one["bytes"] // MIB, one["per"]) for one in regions}, said["notes"]


def test_counters_and_nvml_make_regions_of_the_card(tmp_path: Path) -> None:
    library = tmp_path / "lib"
    library.mkdir()
    answers = str(tmp_path / "answers")
    Path(answers).write_text("count 0\n")
    env = {**os.environ, "LD_LIBRARY_PATH": str(build(library)), "NVML_ANSWERS": answers}
    regions, notes = measured(tmp_path, env)
    assert regions["weights on the card"] == (100, "process")
    assert regions["activations on the card"] == (30, "request")
    assert regions["allocator slack"] == (2, "process")
    # what NVML counts of this process alone, beyond what the allocator held when the app was loaded
    assert regions["CUDA context"] == (400, "process")
    assert "activations of one on the card" not in regions
    assert UNTOLD not in notes


def test_tensorflow_tells_what_is_used_and_nvml_the_rest(tmp_path: Path) -> None:
    library = tmp_path / "lib"
    library.mkdir()
    answers = str(tmp_path / "answers")
    Path(answers).write_text("count 0\n")
    env = {**os.environ, "LD_LIBRARY_PATH": str(build(library)), "NVML_ANSWERS": answers}
    regions, notes = measured(tmp_path, env, "tensorflow")
    assert regions["weights on the card"] == (100, "process")
    assert regions["activations on the card"] == (30, "request")
    assert regions["CUDA context"] == (
        402,
        "process",
    )  # with what its allocator holds beyond, which nothing tells apart
    assert UNTOLD not in notes


@pytest.mark.parametrize("error", ["ValueError", "RuntimeError", "KeyError", "tensorflow.OpError"])
def test_a_framework_without_counters_costs_its_own_only(error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch, tensorflow = ModuleType("torch"), ModuleType("tensorflow")
    exec(TORCH, torch.__dict__)
    exec(TENSORFLOW, tensorflow.__dict__)
    torch.__dict__["take"](7)

    def refuses(_: str) -> None:
        raise eval(error, {"tensorflow": tensorflow})("no such counter")

    tensorflow.__dict__["config"].experimental.get_memory_info = refuses
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "tensorflow", tensorflow)
    found = card_counters()
    assert found is not None
    assert found["used"] == 7 * MIB


def test_what_is_no_refusal_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = ModuleType("torch")
    exec(TORCH, torch.__dict__)
    torch.__dict__["take"](7)
    torch.__dict__["cuda"].memory_allocated = lambda _: 1 // 0
    monkeypatch.setitem(sys.modules, "torch", torch)
    with pytest.raises(ZeroDivisionError):
        card_counters()


def test_without_nvml_the_frameworks_counters_count_and_a_note_says_what_is_missing(tmp_path: Path) -> None:
    env = {key: value for key, value in os.environ.items() if key not in ("LD_LIBRARY_PATH", "NVML_ANSWERS")}
    regions, notes = measured(tmp_path, env)
    assert regions["weights on the card"] == (100, "process")
    assert "CUDA context" not in regions
    assert UNTOLD in notes


def by_name(cards: dict[StageName, CardReading], concurrency: int) -> dict[str, Region]:
    return {one.name: one for one in card_regions(cards, concurrency)}


def test_a_framework_that_tells_nothing_is_counted_by_nvml() -> None:
    cards: dict[StageName, CardReading] = {
        "startup": CardReading(process_bytes=1000),
        "alone": CardReading(process_bytes=1300),
        "together": CardReading(process_bytes=1300),
    }
    found = by_name(cards, 1)
    assert found["weights on the card"].bytes == 1000
    assert found["activations on the card"].bytes == 300
    assert "CUDA context" not in found


@pytest.mark.parametrize(("concurrency", "together"), [(1, 30), (2, 60), (4, 90), (8, 40)])
def test_the_regions_sum_to_the_highest_that_was_held(concurrency: int, together: int) -> None:
    """Nothing is left out and nothing counted twice, whatever requests share."""
    base = {"process_bytes": 700, "held_bytes": 300}
    cards: dict[StageName, CardReading] = {
        "startup": CardReading(used_bytes=200, used_peak_bytes=250, held_peak_bytes=300, **base),
        "first": CardReading(used_bytes=200, used_peak_bytes=230, held_peak_bytes=300, **base),
        "together": CardReading(used_bytes=200, used_peak_bytes=200 + together, held_peak_bytes=300, **base),
    }
    found = card_regions(cards, concurrency)
    total = sum(one.bytes * (concurrency if one.per == "request" else 1) for one in found)
    assert total == 700


def test_no_card_no_regions() -> None:
    assert card_regions({}, 4) == ()
