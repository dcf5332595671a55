"""Memory made to a plan is measured: every region within 3 MiB of what the app was written to use.

Nothing waits for a sampler: the kernel's high-water mark shows a spike however short it is. The apps take their memory
by mmap, as the C library's allocator keeps some of what is freed and would blur what they use.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mlpack.measure.result import MeasureResult
from mlpack.measure.run import measure
from mlpack.measure.subject import Subject
from mlpack.measure.watch import Watch
from mlpack.meter.cgroup_own import own_cgroup
from mlpack.units import MIB

pytestmark = pytest.mark.slow
CLOSE = 3 * MIB
WSGI = """
import mmap
def used(mib):
    held = mmap.mmap(-1, mib << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(0, len(held), 4096):
        held[page] = 1
    return held

loaded = used(50)
passing = used(30)
del passing
first = True

def app(environ, start_response):
    body = environ["wsgi.input"].read()
    assert body == b"knee" and environ["PATH_INFO"] == "/predict" and environ["QUERY_STRING"] == "x=1", environ
    global first
    held = used(20)
    if first:
        first = False
        globals()["cache"] = used(8)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
"""
ASGI = """
import asyncio, mmap
held = None

def used(mib):
    held = mmap.mmap(-1, mib << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(0, len(held), 4096):
        held[page] = 1
    return held

async def app(scope, receive, send):
    global held
    if scope["type"] == "lifespan":
        assert (await receive())["type"] == "lifespan.startup"
        held = used(40)
        scope["state"]["model"] = "loaded"
        await send({{"type": "lifespan.startup.complete"}})
        await receive()
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    assert len(body) == {size} and scope["state"]["model"] == "loaded", len(body)
    await asyncio.get_running_loop().run_in_executor(None, {work})
    await send({{"type": "http.response.start", "status": 201, "headers": []}})
    await send({{"type": "http.response.body", "body": b"fine"}})
"""


def region(result: MeasureResult, name: str) -> int:
    """Bytes of region ``name``; 0 where there is none."""
    return sum(r.bytes for r in result.footprint.regions if r.name == name)


def near(size: int, mib: float) -> bool:
    return abs(size - mib * MIB) < CLOSE


@pytest.fixture
def wsgi(subject: Callable[..., Subject]) -> Subject:
    return subject(WSGI, body=b"knee")


def test_load_spike_warm_state_and_activations_of_one_request(wsgi: Subject) -> None:
    result = measure(wsgi)
    assert near(region(result, "app and weights"), 50)
    assert near(region(result, "load transient"), 30)
    assert near(region(result, "warm state"), 8)
    assert near(region(result, "activations"), 20)
    assert result.loaded_at == "import"
    assert result.interface == "wsgi"
    assert result.footprint.concurrency == 1
    assert result.footprint.rss_peak_bytes is not None
    assert result.footprint.rss_peak_bytes > 85 * MIB
    assert [stage.name for stage in result.stages][:3] == ["interpreter", "libraries", "app"]


@pytest.mark.parametrize("fresh_mib", [20, 30])
def test_each_of_several_requests_at_once_counts(subject: Callable[..., Subject], fresh_mib: int) -> None:
    """Also where they need more because no other came before them: a worker may start under load."""
    text = f"""
import mmap, threading, time
def app(environ, start_response):
    with app.lock:
        app.active += 1
    time.sleep(1)  # whoever comes at the same moment has come
    several = app.active > 1
    held = mmap.mmap(-1, ({fresh_mib} if several and not app.done else 20) << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(0, len(held), 4096):
        held[page] = 1
    if several:
        app.together.wait(60)  # all four hold their memory until the last one has it
    del held
    with app.lock:
        app.active, app.done = app.active - 1, True
    start_response("200 OK", [])
    return [b"fine"]
app.lock, app.active, app.done, app.together = threading.Lock(), 0, False, threading.Barrier(4)
"""
    result = measure(subject(text), concurrency=4, threads=1)
    footprint = result.footprint
    serving = sum(
        r.bytes for r in footprint.regions if r.stage == "serve" and r.kind == "anonymous" and r.per != "request"
    )
    assert near(serving + 4 * region(result, "activations"), 4 * fresh_mib)
    assert near(region(result, "activations"), fresh_mib)
    assert (footprint.concurrency, footprint.threads) == (4, 1)


def test_a_mapped_file_counts_once_and_is_not_anonymous(subject: Callable[..., Subject]) -> None:
    text = """
import mmap
views = []
for _ in range(2):
    with open("weights.bin", "rb") as file:
        views.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
half = len(views[0]) // 2
def touch(start, end):
    return [sum(view[i] for i in range(start, end, 4096)) for view in views]
touch(0, half)
def app(environ, start_response):
    touch(half, 2 * half)
    start_response("200 OK", [])
    return [b"fine"]
"""
    result = measure(subject(text, weights=os.urandom(32 * MIB)))
    idle, hot = region(result, "weights mapped"), region(result, "weights mapped when hot")
    assert abs(idle - 16 * MIB) <= MIB // 8  # the kernel maps up to 64 KiB around a page that is touched
    assert idle + hot == 32 * MIB
    assert near(region(result, "app and weights"), 0)
    assert result.loaded_at == "import"


TOUCHED_ONCE = """
import mmap, os
with open("library.bin", "wb") as file:
    file.write(os.urandom(64 << 20))
with open("library.bin", "rb") as file:
    view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
def touch(start, end):
    return sum(view[i] for i in range(start << 20, end << 20, 4096))
touch(0, 64)
first = [1]
def app(environ, start_response):
    touch(0, 40) if first else touch(4, 24)
    first.clear()
    start_response("200 OK", [])
    return [b"fine"]
"""


def test_library_pages_touched_once_count_for_a_fifth(subject: Callable[..., Subject]) -> None:
    result = measure(subject(TOUCHED_ONCE))
    first, idle = result.stage("first"), result.stage("idle")
    assert first.libraries_in_use_bytes is not None
    assert idle.libraries_in_use_bytes is not None
    assert 20 * MIB <= idle.libraries_in_use_bytes < 30 * MIB  # 20 of the file, and the interpreter's own
    assert 40 * MIB <= first.libraries_in_use_bytes < 50 * MIB  # workers thrash over these too
    assert idle.mapped_bytes > 64 * MIB
    in_use = region(result, "libraries mapped") + region(result, "libraries mapped when hot")
    assert in_use == first.libraries_in_use_bytes
    assert region(result, "libraries touched once") == round(0.2 * (idle.mapped_bytes - in_use))
    assert not any("clear_refs" in note for note in result.notes)


def test_where_marks_cannot_be_taken_off_all_touched_pages_count_and_it_is_said(
    subject: Callable[..., Subject], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Watch, "_clear", lambda *_: False)  # no user may write another's, and root may write all
    result = measure(subject(TOUCHED_ONCE))
    assert region(result, "libraries mapped") == result.stage("idle").mapped_bytes > 64 * MIB
    assert region(result, "libraries touched once") == 0
    assert any("clear_refs" in note for note in result.notes)


def test_an_asgi_app_loads_at_startup_and_answers_in_threads(subject: Callable[..., Subject]) -> None:
    size = 3 * 65536 + 7  # several messages
    text = ASGI.format(size=size, work="lambda: len(used(20))")
    result = measure(subject(text, body=b"x" * size, status=201))
    assert result.interface == "asgi"
    assert result.loaded_at == "startup"
    assert near(region(result, "weights"), 40)
    assert near(region(result, "activations") + region(result, "warm state"), 20)
    assert "preloading would share the libraries only" in (result.footprint.fork_refused or "")


def test_requests_that_an_app_handles_one_by_one_do_not_multiply(subject: Callable[..., Subject]) -> None:
    text = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan here")
    held = bytearray(24 << 20)
    held[::4096] = b"x" * (len(held) // 4096)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"fine"})
"""
    result = measure(subject(text), concurrency=4)
    assert region(result, "activations") < MIB
    serving = region(result, "activations of one") + region(result, "warm state")
    assert near(serving, 24)


def test_what_child_processes_of_the_app_hold_is_counted_once(subject: Callable[..., Subject]) -> None:
    text = """
import os, time
held = bytearray(40 << 20)
held[::4096] = b"x" * (len(held) // 4096)
read, write = os.pipe()
if os.fork() == 0:
    own = bytearray(16 << 20)
    own[::4096] = b"x" * (len(own) // 4096)
    os.write(write, b"x")
    time.sleep(600)
os.read(read, 1)
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"fine"]
"""
    result = measure(subject(text))
    assert near(region(result, "app and weights"), 58)  # and about 2 MiB that Python copies after a fork


def test_a_factory_and_the_environment_that_was_given(subject: Callable[..., Subject]) -> None:
    text = """
import os
assert "HOME" not in os.environ and os.environ["GREETING"] == "hello", dict(os.environ)
print("printing disturbs nothing", flush=True)
def make():
    def app(environ, start_response):
        print("nor here")
        start_response("200 OK", [])
        return [b"fine"]
    return app
"""
    assert measure(subject(text, app="service:make()")).interface == "wsgi"


def test_the_result_has_a_json_form(wsgi: Subject) -> None:
    result = measure(wsgi, inputs_sha256="abc")
    assert MeasureResult.model_validate_json(result.to_json()) == result
    assert result.footprint.inputs_sha256 == "abc"


def test_weights_are_cold_at_the_start_or_it_is_said(subject: Callable[..., Subject], tmp_path: Path) -> None:
    text = "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'']\n"
    made = subject(text, weights=os.urandom(4 * MIB))
    file = (tmp_path / "weights.bin").open("rb")
    with file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        assert view[:]
        notes = measure(made).notes
    assert any("cache warm" in note and "weights.bin" in note for note in notes)


ON_TMPFS = """
import os, tempfile
kept = []
def app(environ, start_response):
    if not kept:
        kept.append(tempfile.TemporaryFile(dir="/dev/shm"))
        kept[0].write(bytes(48 << 20))
        kept[0].flush()
    start_response("200 OK", [])
    return [b"fine"]
"""


def test_files_on_a_tmpfs_count_though_nobody_maps_them(subject: Callable[..., Subject]) -> None:
    with own_cgroup(Path("/proc"), f"mlpack-test-tmpfs-{os.getpid()}") as (dirs, why):
        if dirs is None:
            pytest.skip(f"processes alone do not tell: {why}")
    result = measure(subject(ON_TMPFS))
    assert 48 * MIB <= region(result, "shared memory") < 52 * MIB
