"""A worker is measured by a Celery task or a plain function, called as a worker calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mlpack.errors import MlpackError, SpecError
from mlpack.measure.request import RawCall, work_of
from mlpack.measure.result import MeasureResult
from mlpack.measure.run import measure
from mlpack.measure.subject import Subject
from mlpack.spec import Call, Service, Spec
from mlpack.units import MIB

pytestmark = pytest.mark.slow

USED = """
import mmap, os
def used(mib):
    held = mmap.mmap(-1, mib << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(0, len(held), 4096):
        held[page] = 1
    return held
"""
TASKS = f"""
from celery import Celery
from celery.signals import worker_process_init
{USED}
celery = Celery("tasks", broker="redis://nowhere.invalid/0")
model = None

@worker_process_init.connect
def load(**_):
    global model
    model = used(40)

@celery.task(bind=True, max_retries=3)
def analyze(self, scan, *, batch=1):
    assert model is not None and self.request.is_eager and self.name == "service.analyze"
    assert scan == [1, 2] and batch == 8, (scan, batch)
    held = used(20)
    return len(held)
"""
FUNCTION = f"""
{USED}
model = used(30)
def run(text, *, times):
    assert (text, times) == ("é", 2)
    held = used(10)
async def later(text, *, times):
    run(text, times=times)
def wrong(text, *, times):
    raise RuntimeError("no such scan")
"""


def region(result: MeasureResult, name: str) -> float:
    """MiB of region ``name``."""
    return sum(r.bytes for r in result.footprint.regions if r.name == name) / MIB


def test_a_task_loads_as_a_pool_process_does_and_runs_without_the_queue(subject: Callable[..., Subject]) -> None:
    call = RawCall("service:analyze", ([1, 2],), {"batch": 8})
    made = replace(subject(TASKS), request=call, app="service:celery", server="celery", interface="wsgi")
    result = measure(made)
    assert result.interface == "task"
    assert result.loaded_at == "startup"
    assert abs(region(result, "weights") - 40) < 3
    assert abs(region(result, "activations") - 20) < 3
    assert result.footprint.growth_bytes_per_request == 0


@pytest.mark.parametrize("name", ["run", "later"])
def test_a_plain_function_coroutine_or_not(name: str, subject: Callable[..., Subject]) -> None:
    call = RawCall(f"service:{name}", ("é",), {"times": 2})
    result = measure(replace(subject(FUNCTION), request=call))
    assert result.interface == "function"
    assert abs(region(result, "app and weights") - 30) < 3
    assert abs(region(result, "activations") - 10) < 3


CASES = {
    "wrong": ["the call failed: RuntimeError: no such scan", "service.py:"],
    "absent": ["module service has no 'absent'"],
    "model": ["cannot be called"],
}


@pytest.mark.parametrize("name", CASES)
def test_what_cannot_be_called_is_told(name: str, subject: Callable[..., Subject]) -> None:
    call = RawCall(f"service:{name}", ("é",), {"times": 2})
    with pytest.raises(MlpackError) as caught:
        measure(replace(subject(FUNCTION), request=call))
    assert all(word in str(caught.value) for word in CASES[name])


def spec(call: Call) -> Spec:
    """A Celery service measured by ``call``."""
    return Spec(name="shop", services={"worker": Service(server="celery", app="tasks:app", measure=call)})


def test_arguments_may_be_files_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "scan.json").write_text("[1, 2]")
    (tmp_path / "note.txt").write_text("knee")
    call = Call(call="tasks:run", args=({"file": "scan.json"}, 3), kwargs={"notes": [{"file": "note.txt"}]})
    assert work_of(spec(call), "worker", tmp_path) == RawCall("tasks:run", ([1, 2], 3), {"notes": ["knee"]})
    (tmp_path / "scan.json").unlink()
    with pytest.raises(SpecError, match=r"services\.worker\.measure: scan.json"):
        work_of(spec(call), "worker", tmp_path)
