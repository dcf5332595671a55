"""The measured process: stops at each stage of a worker's life, so that the parent can look at its memory.

Runs in the project's Python (see ``meter.bundle``): standard library only, nothing newer than Python 3.8 outside
annotations. It reads a line of JSON (what to do), then at each stage prints a line and waits for a line.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import time
from typing import Any

from mlpack.measure.called import Called
from mlpack.measure.drive import Asgi, Wsgi, is_asgi
from mlpack.measure.forked import answer
from mlpack.measure.on_card import card_counters
from mlpack.measure.opened import Opened
from mlpack.measure.turns import Failure, Request

BEFORE_START = ("interpreter", "libraries", "app", "forked")
"""Stages at whose end no card is asked about: the app may not have opened it yet."""


class Stages:
    """The conversation with the parent, on a channel that the app's own printing cannot disturb."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        self.name = "interpreter"
        self._began_s = time.monotonic()
        self._opened: Opened | None = None

    def watch(self, models: dict[str, list[str]]) -> None:
        """Note from now on when files of ``models`` are opened."""
        self._opened = Opened(models)

    def stop(self, **more: Any) -> str:
        """The stage ``name`` is over: tell, and wait until the parent has looked; what it then says."""
        spent_s = time.monotonic() - self._began_s
        opened = self._opened.take() if self._opened else []
        card = None if self.name in BEFORE_START else card_counters()
        self.tell({"stage": self.name, "seconds": spent_s, "opened": opened, "card": card, **more})
        said = sys.stdin.readline()
        if not said:
            os._exit(0)  # the parent is gone
        return said.strip()

    def begin(self, name: str) -> None:
        """Work on stage ``name`` begins now."""
        self.name, self._began_s = name, time.monotonic()

    def tell(self, message: dict[str, Any]) -> None:
        """One line to the parent."""
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()


def main() -> None:
    """The whole conversation; ends the process without the app's exit handlers, which may hang."""
    stages = Stages()
    faulthandler.register(signal.SIGUSR1, all_threads=True)  # the parent asks so where a hang is
    task = json.loads(sys.stdin.readline())
    code = 0
    try:
        sys.path[0] = os.getcwd()  # noqa: PTH109 - as servers do
        _unpack(task)
        stages.stop(python=sys.version.split()[0], folders=_folders(task["libraries"]))
        (fork if task["fork"] else serve)(stages, task)
    except Failure as failure:
        stages.tell({"error": failure.kind, "stage": stages.name, "message": str(failure)})
        code = 1
    except BaseException as error:
        import traceback

        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename.startswith("<mlpack"):
            trace = trace.tb_next  # how we came there is nobody's concern
        traceback.print_exception(type(error), error, trace)
        lines = traceback.format_exception_only(type(error), error)
        kind = {"app": "import", "startup": "startup"}.get(stages.name, "call" if task["call"] else "request")
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        stages.tell(
            {
                "error": kind,
                "stage": stages.name,
                "message": lines[-1].strip(),
                "missing": missing,
                "own": (task["call"] or task["app"]).partition(":")[0].partition(".")[0],
                "at": _place(error),
            }
        )
        code = 1
    sys.stderr.flush()
    os._exit(code)


def serve(stages: Stages, task: dict[str, Any]) -> None:
    """A worker's life: libraries, app, start-up, the first request, one alone, several at once, idle; then more of
    the same, as often as the parent asks, to see whether anything is kept of each. A task with ``crowd`` has several
    at once first."""
    driver = load(stages, task)
    stages.begin("startup")
    driver.startup()
    stages.stop()
    if not task["crowd"]:
        stages.begin("first")
        driver.once()
        stages.stop()
        stages.begin("alone")
        driver.once()
        stages.stop()
    stages.begin("together")
    driver.together(task["rounds"])
    stages.stop()
    stages.begin("idle")
    time.sleep(0.2)  # threads that end give their stacks back
    said = stages.stop()
    while said == "shorter" or said.startswith("rounds "):
        stages.begin("growth")
        if said == "shorter":
            said = stages.stop(also=driver.also(task["shorter"]))
        else:
            driver.together(int(said[7:]))
            said = stages.stop()


def load(stages: Stages, task: dict[str, Any]) -> Wsgi | Asgi:
    """Import libraries, then the app."""
    stages.watch(task["models"])
    stages.begin("libraries")
    absent = [name for name in task["libraries"] if not _import(name)]
    stages.stop(absent=absent)
    stages.begin("app")
    if task["call"]:
        if task["app"]:
            __import__(task["app"].partition(":")[0])
        called = Called(_resolve(task["call"]), task["body_file"], task["concurrency"])
        stages.stop(interface=called.interface)
        return called
    app = _resolve(task["app"])
    asgi = is_asgi(app) if task["interface"] is None else task["interface"] == "asgi"
    driver = (Asgi if asgi else Wsgi)(app, Request(**task["request"]), task["concurrency"])
    stages.stop(interface="asgi" if asgi else "wsgi")
    return driver


def fork(stages: Stages, task: dict[str, Any]) -> None:
    """What preloading does: the app is imported, processes are forked, and each must answer; no request before."""
    import gc
    import select

    driver = load(stages, task)
    stages.begin("forked")
    waiting = {}
    children = []
    gc.freeze()  # as the rendered configuration of gunicorn does
    for _ in range(task["fork"]):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            signal.alarm(int(task["fork_deadline_s"]) + 30)  # ends it even when it hangs in C and nobody is left
            answer(driver, write)
        os.close(write)
        waiting[read] = pid
        children.append(pid)
    answers: dict[int, str] = {}
    until_s = time.monotonic() + task["fork_deadline_s"]
    while waiting and time.monotonic() < until_s:
        for read in select.select(list(waiting), [], [], max(0.0, until_s - time.monotonic()))[0]:
            answers[waiting.pop(read)] = os.read(read, 4096).decode(errors="replace") or "it died"
    stages.stop(answers=[answers.get(pid, "") for pid in children], children=children)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _unpack(task: dict[str, Any]) -> None:
    """In a container the body comes with the task, as no file of the host is there; it becomes a file in /tmp."""
    packed = task.pop("body_base64", None)
    if packed is not None:
        import binascii

        name = f"/tmp/mlpack-measure-{os.getpid()}"
        with open(name, "wb") as stream:  # noqa: PTH123 - pathlib would be one more import to measure
            stream.write(binascii.a2b_base64(packed))
        task["body_file"] = name
    if task["request"]:
        task["request"]["body_file"] = task["body_file"]


def _place(error: BaseException) -> str | None:
    """``file:line`` of the innermost line of the project's own code that ``error`` passed through."""
    import traceback

    if isinstance(error, SyntaxError) and error.filename:
        found = [(error.filename, error.lineno)]
    else:
        found = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    here = os.getcwd() + os.sep  # noqa: PTH109
    own = [(name, line) for name, line in found if name.startswith(here) and "site-packages" not in name]
    return f"{own[-1][0][len(here) :]}:{own[-1][1]}" if own else None


def _folders(libraries: list[str]) -> list[str]:
    """Where the libraries' code lies, found without importing it, and the shared libraries that wheels put beside."""
    import importlib.util

    found = []
    for name in dict.fromkeys(library.partition(".")[0] for library in libraries):
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            continue
        for folder in spec.submodule_search_locations or [] if spec else []:
            found += [folder, folder + ".libs"]
    return [folder for folder in found if os.path.isdir(folder)]  # noqa: PTH112


def _import(name: str) -> bool:
    try:
        __import__(name)
    except ImportError:
        return False
    return True


def _resolve(target: str) -> Any:
    """The object that ``module:attribute`` names, or what ``module:factory()`` returns."""
    module_name, _, path = target.partition(":")
    __import__(module_name)
    found: Any = sys.modules[module_name]
    called = path.endswith("()")
    for part in (path[:-2] if called else path or "app").split("."):
        if not hasattr(found, part):
            raise Failure("import", f"module {module_name} has no {path or 'app'!r}")
        found = getattr(found, part)
    return found() if called else found
