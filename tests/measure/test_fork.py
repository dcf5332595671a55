"""Preloading is proven by answers of forked processes, or it is "no" with the reason."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mlpack.measure.fork import prove
from mlpack.measure.run import measure
from mlpack.measure.subject import DEADLINES, Deadlines, Subject, child_task
from mlpack.measure.worker import HostPlace
from mlpack.units import MIB

pytestmark = pytest.mark.slow

ANSWER = """
    start_response("200 OK", [])
    return [b"fine"]
"""


def test_forked_processes_that_answer_prove_it_and_tell_what_they_copy(subject: Callable[..., Subject]) -> None:
    text = f"""
held = bytearray(60 << 20)
held[::4096] = b"x" * (len(held) // 4096)
def app(environ, start_response):
    held[: 12 << 20 : 4096] = b"y" * (12 << 8)  # written in the child: copied
{ANSWER}"""
    footprint = measure(subject(text), prove_fork=True).footprint
    assert footprint.fork_proven
    assert footprint.unshared_bytes is not None
    assert 12 * MIB <= footprint.unshared_bytes < 17 * MIB  # 12, and what Python itself touches


def test_a_collection_in_the_worker_copies_nothing_that_was_loaded(subject: Callable[..., Subject]) -> None:
    """40 MB of lists that a full collection would write to, were they not frozen before the fork."""
    text = f"""
import gc
loaded = [[number] for number in range(400_000)]
def app(environ, start_response):
    gc.collect()
{ANSWER}"""
    footprint = measure(subject(text), prove_fork=True).footprint
    assert footprint.fork_proven
    assert footprint.unshared_bytes is not None
    assert footprint.unshared_bytes < 10 * MIB


def test_files_that_forked_workers_map_count_once_and_weights_apart(
    subject: Callable[..., Subject], tmp_path: Path
) -> None:
    """Both children map the same 16 MiB while they answer; the master maps none of it."""
    file = tmp_path / "mapped.bin"
    file.write_bytes(os.urandom(16 * MIB))
    text = f"""
import mmap
def app(environ, start_response):
    global held
    with open({str(file)!r}, "rb") as stream:
        held = mmap.mmap(stream.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ)
    sum(held[::4096])
{ANSWER}"""
    asked = subject(text)
    place = HostPlace(asked.python, asked.root, asked.env, None)
    task = child_task(asked, tmp_path, 1)
    all_, less = (prove(place, task, DEADLINES, weights).libraries_bytes for weights in ((), (file,)))
    assert abs(all_ - less - 16 * MIB) < MIB
    assert 0 < less < 16 * MIB


def test_a_hang_after_the_fork_is_a_no(subject: Callable[..., Subject]) -> None:
    text = f"""
import os, threading
loaded_in = os.getpid()
def app(environ, start_response):
    if os.getpid() != loaded_in:
        threading.Event().wait()  # as a thread pool that did not survive the fork
{ANSWER}"""
    result = measure(subject(text), prove_fork=True, deadlines=Deadlines(request_s=2))
    assert not result.footprint.fork_proven
    assert result.footprint.unshared_bytes is None
    assert "2 of 2 forked processes did not answer within 2 s" in (result.footprint.fork_refused or "")


def test_a_crash_after_the_fork_is_a_no(subject: Callable[..., Subject]) -> None:
    text = f"""
import os
loaded_in = os.getpid()
def app(environ, start_response):
    if os.getpid() != loaded_in:
        os._exit(3)
{ANSWER}"""
    result = measure(subject(text), prove_fork=True)
    assert not result.footprint.fork_proven
    assert "it died" in (result.footprint.fork_refused or "")


def test_models_that_load_at_startup_are_not_shared_by_preloading(subject: Callable[..., Subject]) -> None:
    text = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        app.held = bytearray(30 << 20)
        app.held[::4096] = b"x" * (len(app.held) // 4096)
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"fine"})
"""
    footprint = measure(subject(text), prove_fork=True).footprint
    assert not footprint.fork_proven
