"""A preloading gunicorn as rendered: no worker writes to what was loaded before the fork, not even when it ends.

Neither its collector does nor the interpreter's own end; without preload nothing is done for that.
"""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.plans import embedding_plan, plan_of, service_plan

from mlpack.launchers.process import free_port
from mlpack.plan import Decided
from mlpack.render import render

pytestmark = pytest.mark.slow
APP = """
import atexit, gc, os
from concurrent.futures import ThreadPoolExecutor

class Loaded:
    def __del__(self):  # only the interpreter's end takes this apart
        print("taken apart by", os.getpid(), flush=True)

kept, pool = Loaded(), ThreadPoolExecutor(1)
atexit.register(lambda: print("atexit in", os.getpid(), flush=True))
loaded = [[number] for number in range(50_000)]
def app(environ, start_response):
    import time
    pool.submit(lambda: (time.sleep(0.2), print("written by", os.getpid(), flush=True)))
    start_response("200 OK", [("Worker", str(os.getpid()))])
    return [str(gc.get_freeze_count()).encode()]
"""


ENDING = """
import os, runpy, sys
conf = runpy.run_path("conf.py")
class Worker:
    pid = int(sys.argv[1]) or os.getpid()
try:
    exec(sys.argv[2])
except Exception:
    sys.exit(4)
finally:
    conf["worker_exit"](None, Worker)
    print("still here", flush=True)
"""


def settings(*, preload: bool) -> str:
    """The rendered file."""
    decided = Decided[bool](value=preload, source="measured", because="for this test")
    whole = embedding_plan()
    web = whole.spec.services["web"].model_copy(update={"interface": "wsgi"})
    spec = whole.spec.model_copy(update={"services": {"web": web}})
    made = render(plan_of(spec, {"web": service_plan(preload=decided, worker_class=None)}))
    return next(one.text for one in made if one.path.endswith("web.gunicorn.conf.py"))


@contextmanager
def served(folder: Path, *, preload: bool) -> Iterator[int]:
    """The port of a running gunicorn; what it says goes to the file ``said``."""
    text, port = settings(preload=preload), free_port()
    bind = next(line for line in text.splitlines() if line.startswith("bind = "))
    (folder / "conf.py").write_text(text.replace(bind, f'bind = "127.0.0.1:{port}"'))
    (folder / "app.py").write_text(APP)
    argv = [sys.executable, "-m", "gunicorn", "--config", "conf.py", "app:app"]
    with (folder / "said").open("w") as said, subprocess.Popen(argv, cwd=folder, stdout=said) as server:
        try:
            yield port
        finally:
            server.terminate()


def frozen(port: int) -> tuple[int, str]:
    """What a worker says, once one answers, and its process id."""
    until_s = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                return int(answer.read()), answer.headers["Worker"]
        except OSError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.1)


@pytest.mark.parametrize("preload", [True, False])
def test_what_was_loaded_before_the_fork_is_frozen(tmp_path: Path, preload: bool) -> None:
    with served(tmp_path, preload=preload) as port:
        assert (frozen(port)[0] > 50_000) is preload


@pytest.mark.parametrize("preload", [True, False])
def test_a_worker_ends_with_its_work_done_and_what_was_loaded_untouched(tmp_path: Path, preload: bool) -> None:
    with served(tmp_path, preload=preload) as port:
        _, worker = frozen(port)
    said = (tmp_path / "said").read_text()
    assert f"written by {worker}\n" in said
    assert f"atexit in {worker}\n" in said
    assert (f"taken apart by {worker}\n" in said) is not preload


@pytest.mark.parametrize(
    ("happens", "status"),
    [("sys.exit(0)", 0), ("sys.exit(3)", 3), ("sys.exit()", 0), ("sys.exit(-1)", 255), ("1 / 0", 4)],
)
def test_a_worker_ends_with_the_status_it_would_have_had(tmp_path: Path, happens: str, status: int) -> None:
    (tmp_path / "conf.py").write_text(settings(preload=True))
    argv = [sys.executable, "-c", ENDING, "0", happens]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def test_the_master_does_not_end_with_a_worker_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "conf.py").write_text(settings(preload=True))
    argv = [sys.executable, "-c", ENDING, "1", "pass"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "still here\n")
