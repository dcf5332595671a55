"""Apps that cannot be measured: each mistake has its own message, and nothing is left running."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mlpack.errors import MlpackError
from mlpack.measure.errors import AppError
from mlpack.measure.request import RawRequest
from mlpack.measure.run import measure
from mlpack.measure.subject import Deadlines, Subject
from mlpack.measure.worker import HostPlace, Place
from mlpack.meter.cgroup_own import own_cgroup
from mlpack.units import MIB

pytestmark = pytest.mark.slow

GOOD = "def app(environ, start_response):\n    start_response('200 OK', [])\n    return [b'']\n"
SILENT = "import threading\nprint('waiting', flush=True)\nthreading.Event().wait()\n"
HANGING = "import threading\ndef app(environ, start_response):\n    threading.Event().wait()\n"
BUSY = GOOD.replace("200 OK", "503 Busy").replace("b''", "b'models load'")
KILL = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
LIFESPAN = """
async def app(scope, receive, send):
    await receive()
    await send({'type': 'lifespan.startup.failed', 'message': 'no weights'})
"""
CASES: dict[str, tuple[str, list[str]]] = {
    "a module is missing": ("import nowhere.found\n", ["cannot be imported", "no module 'nowhere'", "--python"]),
    "import raises": (
        "x = 1\nraise ValueError('no such weights')\n",
        ["service.py:2: the app cannot be imported: ValueError: no such weights"],
    ),
    "syntax error": ("def app(:\n", ["service.py:1: the app cannot be imported: SyntaxError"]),
    "its own module is missing": ("import service.part\n", ["cannot be imported", "'service' is not a package"]),
    "out of memory": ("raise MemoryError\n", ["no more memory was given", "service.py:1"]),
    "no such attribute": ("application = 1\n", ["cannot be imported: module service has no 'app'"]),
    "the module exits": ("import sys\nsys.exit(4)\n", ["cannot be imported: SystemExit: 4"]),
    "the process exits": ("import os\nprint('bye', flush=True)\nos._exit(4)\n", ["exit code 4 in stage 'app'", "bye"]),
    "killed": (KILL, ["killed in stage 'app'", "memory"]),
    "import hangs": (SILENT, ["'app' did not end within 2 s", "waiting"]),
    "the request raises": (GOOD.replace("start_response(", "1 / 0, ("), ["on the request: ZeroDivisionError"]),
    "a wrong status": (BUSY, ["wrong answer", "503, not 200", "models load"]),
    "the request hangs": (HANGING, ["'first' did not end within 1 s", 'service.py", line 3 in app']),
    "startup fails": (LIFESPAN, ["start-up failed: no weights"]),
    "no answer at all": ("def app(environ, start_response):\n    return []\n", ["answered None, not 200"]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_message_says_what_and_nothing_is_left(case: str, subject: Callable[..., Subject], tmp_path: Path) -> None:
    text, words = CASES[case]
    deadlines = {"import hangs": Deadlines(load_s=2), "the request hangs": Deadlines(request_s=1)}.get(
        case, Deadlines()
    )
    with pytest.raises(MlpackError) as caught:
        measure(subject(text), deadlines=deadlines)
    for word in words:
        assert word in str(caught.value)
    assert "Traceback" not in caught.value.what
    assert not in_folder(tmp_path)


def test_a_kernel_that_kills_for_memory_is_named_with_what_the_app_held(subject: Callable[..., Subject]) -> None:
    made = subject(GOOD + "held = []\nwhile True:\n    held.append(bytes(b'x') * (8 << 20))\n")

    @contextmanager
    def small() -> Iterator[tuple[Place, str]]:
        with own_cgroup(Path("/proc"), f"mlpack-test-oom-{os.getpid()}") as (dirs, why):
            if dirs is None:
                pytest.skip(why)
            file = "memory.max" if dirs.version == 2 else "memory.limit_in_bytes"
            (dirs.memory / file).write_text(str(96 * MIB))
            yield HostPlace(made.python, made.root, made.env, dirs), why

    with pytest.raises(AppError) as caught:
        measure(made, place=small)
    said = str(caught.value)
    assert "killed in stage 'app'" in said
    assert "the kernel counted it as out of memory" in said
    assert "with a smaller request" in said
    held = re.search(r"it held (\d+)(?:\.\d+)? MiB", said)
    assert held is not None
    assert 32 < int(held.group(1)) <= 96


def test_ctrl_c_at_each_stage_leaves_nothing(subject: Callable[..., Subject], tmp_path: Path) -> None:
    for stop in ("interpreter", "startup", "together"):

        def interrupt(stage: str, stop: str = stop) -> None:
            if stage == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            measure(subject(GOOD), progress=interrupt)
        assert not in_folder(tmp_path)


def test_processes_that_the_app_started_end_with_it(subject: Callable[..., Subject], tmp_path: Path) -> None:
    helper = (
        f"import subprocess\nhelper = subprocess.Popen([{sys.executable!r}, '-c', 'input()'], stdin=subprocess.PIPE)\n"
    )
    detached = helper.replace("stdin=", "start_new_session=True, stdin=").replace("helper =", "other =")
    measure(subject(helper + detached + GOOD))
    assert not in_folder(tmp_path)


def test_an_app_whose_module_is_not_in_the_folder(subject: Callable[..., Subject]) -> None:
    with pytest.raises(MlpackError) as caught:
        measure(subject(GOOD, app="backend.web:app"))
    assert "is backend.py or backend/ in it?" in str(caught.value)


def test_a_secret_that_was_not_sent_is_named_where_the_answer_is_wrong(subject: Callable[..., Subject]) -> None:
    made = subject(BUSY)
    assert isinstance(made.request, RawRequest)
    with pytest.raises(MlpackError) as caught:
        measure(replace(made, request=replace(made.request, left_out=("X-API-Key",))))
    assert "X-API-Key" in str(caught.value)
    assert "--in-container" in str(caught.value)


def test_a_python_that_is_not_there(subject: Callable[..., Subject]) -> None:
    with pytest.raises(MlpackError, match=r"cannot start .*nopython") as caught:
        measure(replace(subject(GOOD), python=Path("/nowhere/nopython")))
    assert "--python" in str(caught.value)


def test_libraries_that_are_not_installed_are_named(subject: Callable[..., Subject]) -> None:
    notes = measure(replace(subject(GOOD), libraries=("json", "no_such_runtime"))).notes
    assert any("not counted: no_such_runtime" in note for note in notes)


def in_folder(folder: Path) -> list[str]:
    """Processes whose working folder is ``folder``: those that a measurement there has left."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve() == folder.resolve():
                found.append(process.name)
        except OSError:
            continue
    return found
