"""Several models in one worker: each one's own part is named, or it is said that it cannot be told."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.measure.test_regions import readings

from mlpack.measure import run
from mlpack.measure.result import MeasureResult, StageName
from mlpack.measure.run import measure
from mlpack.measure.shares import Opening, in_order, shares
from mlpack.measure.subject import Subject
from mlpack.units import MIB

pytestmark = pytest.mark.slow
ANSWER = """
def app(environ, start_response):
    use()
    start_response("200 OK", [])
    return [b"fine"]
"""
SIZES = {"left": 40 * MIB, "right": 24 * MIB}


def region(result: MeasureResult, name: str) -> float:
    """MiB of region ``name``."""
    return sum(r.bytes for r in result.footprint.regions if r.name == name) / MIB


@pytest.fixture
def two(subject: Callable[..., Subject], tmp_path: Path) -> Callable[[str], Subject]:
    """A subject with two models, from the text of its app."""

    def make(text: str) -> Subject:
        models = {}
        for name, size in SIZES.items():
            file = tmp_path / f"{name}.bin"
            file.write_bytes(os.urandom(size))
            models[name] = (file,)
        files = tuple(file for one in models.values() for file in one)
        seen = {name: (str(file),) for name, (file,) in models.items()}
        return replace(subject(text + ANSWER), model_files=files, models=models, seen_at=seen)

    return make


def test_copied_models_by_turns_of_their_files(two: Callable[[str], Subject]) -> None:
    text = """
import json, decimal
own = bytearray(10 << 20)
own[::4096] = b"x" * (len(own) // 4096)
left = bytearray(open("left.bin", "rb").read())
right = bytearray(open("right.bin", "rb").read())
def use(): pass
"""
    result = measure(two(text))
    assert abs(region(result, "weights of left") - 40) < 2
    assert abs(region(result, "weights of right") - 24) < 2
    assert abs(region(result, "app") - 10) < 3
    assert not any("cannot be told" in note for note in result.notes)


def test_files_that_no_python_code_opens_are_seen_by_the_kernel(two: Callable[[str], Subject]) -> None:
    text = """
import ctypes, time
libc = ctypes.CDLL(None)
def load(name, size):
    handle = libc.open(name, 0)
    time.sleep(0.2)  # whoever looks is given time: how late it may be is not the question here
    held = bytearray(size)
    libc.read(handle, (ctypes.c_char * size).from_buffer(held), size)
    return held
left, right = load(b"left.bin", 40 << 20), load(b"right.bin", 24 << 20)
def use(): pass
"""
    result = measure(two(text))
    assert abs(region(result, "weights of left") - 40) < 2
    assert abs(region(result, "weights of right") - 24) < 2


def test_mapped_models_by_their_pages(two: Callable[[str], Subject]) -> None:
    text = """
import mmap
views = {}
for name in ("left", "right"):
    with open(name + ".bin", "rb") as file:
        views[name] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
def touch(name): return sum(views[name][i] for i in range(0, len(views[name]), 4096))
touch("left")
def use(): touch("right")
"""
    result = measure(two(text))
    assert region(result, "weights mapped, left") == 40
    assert region(result, "weights mapped, right") < 1
    assert abs(region(result, "weights mapped when hot, right") - 24) < 1
    assert not any("cannot be told" in note for note in result.notes)


def test_a_model_loaded_by_the_first_request_and_one_that_nobody_opens(two: Callable[[str], Subject]) -> None:
    text = """
left = None
def use():
    global left
    left = left or bytearray(open("left.bin", "rb").read())
"""
    result = measure(two(text))
    assert abs(region(result, "weights of left") - 40) < 2
    assert any(note.startswith("left: loaded by the first request") for note in result.notes)
    assert any(note.startswith("right: none of its files") for note in result.notes)


def test_models_that_load_at_once_are_not_told_apart(two: Callable[[str], Subject]) -> None:
    text = """
import threading
barrier = threading.Barrier(2)
held = {}
def load(name):
    with open(name + ".bin", "rb") as file:
        barrier.wait()  # both are open before either is read
        held[name] = bytearray(file.read())
threads = [threading.Thread(target=load, args=(name,)) for name in ("left", "right")]
for thread in threads: thread.start()
for thread in threads: thread.join()
def use(): pass
"""
    result = measure(two(text))
    assert any("left + right: loaded at the same time or in turns" in note for note in result.notes)
    together = [r for r in result.footprint.regions if r.name.startswith("weights of")]
    assert [r.name for r in together] == ["weights of left + right"]
    assert abs(together[0].bytes / MIB - 64) < 3


def test_turns_back_and_forth_belong_to_both() -> None:
    stages = readings(MOVED)
    marks = [Opening(name, "app", int(held * MIB), at) for at, (name, held) in enumerate(TURNS)]
    found = shares(stages, marks, SIZES)
    assert dict(found.of("app")) == {"left + right": 64 * MIB}


TURNS = (("left", 179), ("right", 200), ("left", 210))
MOVED: dict[StageName, tuple[float, float, float, float]] = {
    "app": (243, 243, 81, 0),
    "startup": (243, 243, 81, 0),
    "interpreter": (6, 6, 6, 0),
    "libraries": (179, 179, 76, 0),
    "first": (243, 243, 81, 0),
    "alone": (243, 243, 81, 0),
    "together": (243, 243, 81, 0),
    "idle": (243, 243, 81, 0),
}


def test_what_the_process_tells_itself_wins_over_the_watcher() -> None:
    told = Opening("left", "app", 10, 1.0)
    late = Opening("left", "app", 50, 1.2, exact=False)
    other = Opening("right", "app", 60, 1.1, exact=False)
    assert in_order([late, told, other]) == (told, other)


def test_without_a_control_group_the_processes_alone_tell_the_same(
    two: Callable[[str], Subject], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
left = bytearray(open("left.bin", "rb").read())
def use():
    held = bytearray(30 << 20)
    held[::4096] = b"x" * (len(held) // 4096)
"""
    made = two(text)

    @contextmanager
    def none(*_: object):  # type: ignore[no-untyped-def]
        yield None, "this machine has no memory control group"

    def both() -> tuple[MeasureResult, MeasureResult]:
        with_group = measure(made)
        with monkeypatch.context() as patched:
            patched.setattr(run, "own_cgroup", none)
            return with_group, measure(made)

    with_group, without = both()
    for _ in range(2):
        if not differing(with_group, without):
            break
        with_group, without = both()  # whoever read Python's own files meanwhile made their pages look used: once more
    assert any("kernel memory is a lower bound and refaults are not counted" in note for note in without.notes)
    assert without.footprint.refault_bytes is None
    assert differing(with_group, without) == []
    assert 0 < without.footprint.sum_bytes("kernel", "import") < 3 * MIB


def differing(one: MeasureResult, other: MeasureResult) -> list[tuple[str, str, str, int, int]]:
    """The kinds and stages whose sums are more than 2 MiB apart, with both."""
    found: list[tuple[str, str, str, int, int]] = []
    for kind in ("anonymous", "mapped"):
        for stage in ("import", "load", "serve"):
            for per in ("process", "request", "moment"):
                a, b = (f.footprint.sum_bytes(kind, stage, per=per) for f in (one, other))
                if abs(a - b) >= 2 * MIB:
                    found.append((kind, stage, per, a, b))
    return found
