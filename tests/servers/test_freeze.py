"""A preloading gunicorn as rendered: each worker's collector does not see what was loaded; without preload it does."""

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
import gc
loaded = [[number] for number in range(50_000)]
def app(environ, start_response):
    start_response("200 OK", [])
    return [str(gc.get_freeze_count()).encode()]
"""


@contextmanager
def served(folder: Path, *, preload: bool) -> Iterator[int]:
    """The port of a running gunicorn."""
    decided = Decided[bool](value=preload, source="measured", because="for this test")
    whole = embedding_plan()
    web = whole.spec.services["web"].model_copy(update={"interface": "wsgi"})
    spec = whole.spec.model_copy(update={"services": {"web": web}})
    made = render(plan_of(spec, {"web": service_plan(preload=decided, worker_class=None)}))
    port = free_port()
    text = next(one.text for one in made if one.path.endswith("web.gunicorn.conf.py"))
    bind = next(line for line in text.splitlines() if line.startswith("bind = "))
    (folder / "conf.py").write_text(text.replace(bind, f'bind = "127.0.0.1:{port}"'))
    (folder / "app.py").write_text(APP)
    argv = [sys.executable, "-m", "gunicorn", "--config", "conf.py", "app:app"]
    with subprocess.Popen(argv, cwd=folder) as server:
        try:
            yield port
        finally:
            server.terminate()


def frozen(port: int) -> int:
    """What a worker says, once one answers."""
    until_s = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                return int(answer.read())
        except OSError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.1)


@pytest.mark.parametrize("preload", [True, False])
def test_what_was_loaded_before_the_fork_is_frozen(tmp_path: Path, preload: bool) -> None:
    with served(tmp_path, preload=preload) as port:
        assert (frozen(port) > 50_000) is preload
