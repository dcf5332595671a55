"""Runs the measured process and talks with it: one line per stage, a deadline for each, and an end in any case."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from mlpack.errors import MlpackError
from mlpack.measure.errors import AppError, explain
from mlpack.meter.bundle import bundle
from mlpack.meter.cgroup import CgroupDirs
from mlpack.meter.sources import tree
from mlpack.units import show_duration

PARTS = ("turns", "drive", "called", "opened", "on_card", "forked", "child")
PROGRAM = tuple(f"mlpack.measure.{part}" for part in PARTS)
LAUNCH = """\
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if sys.argv[1]:
    open(sys.argv[1], "w").write("0")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Before the worker itself: PR_SET_PDEATHSIG (it dies with mlpack, however that ends), and its control group, so that
its memory is charged there from the first page."""


class Place(Protocol):
    """Where the measured process runs: on this host, or in a container of its own."""

    @property
    def python(self) -> str:
        """How messages call the Python that runs it."""

    @property
    def missing_hint(self) -> str:
        """What to do about a module that it lacks; ``{}`` stands for the module."""

    def start(self, program: str, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start ``python -c program`` with pipes for the conversation. Raises MlpackError: it cannot be started."""

    def pid_of(self, started: subprocess.Popen[bytes]) -> int:
        """The process to look at, as this machine numbers it. Raises MlpackError: it cannot be seen from here."""

    def counters(self) -> CgroupDirs | None:
        """The control group that holds the process and nothing else, once it runs; None where there is none."""

    def seen_from_here(self, folder: str) -> Path:
        """How this process reaches a folder that the measured one calls ``folder``."""

    def end(self) -> None:
        """Remove what ``start`` made besides the process that it returned."""


@dataclass(frozen=True)
class HostPlace:
    """A child process of this one. ``dirs``: the control group that it joins before its first page."""

    executable: Path
    root: Path
    env: Mapping[str, str]
    dirs: CgroupDirs | None

    @property
    def python(self) -> str:
        """Its path."""
        return str(self.executable)

    @property
    def missing_hint(self) -> str:
        """Another Python may have it."""
        return f"{self.executable} has no module {{!r}}; name the project's own Python with --python"

    def start(self, program: str, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start it in ``root``."""
        group = str(self.dirs.memory / "cgroup.procs") if self.dirs else ""
        argv = [self.python, "-I", "-S", "-c", LAUNCH, group, self.python, "-u", "-c", program]
        try:
            # Not process.run: this one is talked with while it lives.
            return subprocess.Popen(
                argv,
                cwd=self.root,
                env=dict(self.env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        except OSError as error:
            hint = "name the project's Python with --python"
            raise MlpackError(
                f"cannot start {self.executable}: {error.strerror}", where=str(self.root), hint=hint
            ) from error

    def pid_of(self, started: subprocess.Popen[bytes]) -> int:
        """Itself."""
        return started.pid

    def counters(self) -> CgroupDirs | None:
        """The group that it joined."""
        return self.dirs

    def seen_from_here(self, folder: str) -> Path:
        """The same."""
        return Path(folder)

    def end(self) -> None:
        """Nothing else was made."""


class Worker:
    """A measured process. ``with`` ends it and all that it started."""

    def __init__(self, place: Place, task: Mapping[str, Any]) -> None:
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._place, self._left_out = place, task.get("left_out") or ()
        self._buffer = b""
        try:
            self._process = place.start(bundle(PROGRAM, "main_module.main()"), self._log)
        except BaseException:
            place.end()
            self._log.close()
            raise
        try:
            self._send(json.dumps(dict(task)))
            self.pid = place.pid_of(self._process)
        except BaseException as error:
            said = self.log()
            self.__exit__()
            if isinstance(error, MlpackError) and said:
                raise MlpackError(f"{error.what}: {said}", where=error.where, hint=error.hint) from error
            raise

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in reversed(tree(Path("/proc"), self._process.pid)):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self._place.end()

    def go(self, what: str = "go") -> None:
        """Let it go on to the next stage; after the last one, ``rounds N``: N rounds of requests more."""
        self._send(what)

    def stage(self, name: str, within_s: float) -> dict[str, Any]:
        """Wait until stage ``name`` is over; it then holds still. Raises AppError: the app failed, hung, or died."""
        message = self._next(name, time.monotonic() + within_s, within_s)
        if "error" in message:
            raise explain(message, place=self._place, log=self.log(), left_out=self._left_out)
        return message

    def log(self) -> str:
        """The end of what the app printed."""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 4000))
        return self._log.read().decode(errors="replace").strip()

    def _next(self, stage: str, until_s: float, within_s: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        handle = self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            if time.monotonic() > until_s:
                self._ask_where()
                raise AppError(
                    f"stage {stage!r} did not end within {show_duration(within_s)}; the process was ended",
                    hint="a hang, or more time is needed. The app's last words, and where each thread stood (newest "
                    f"call first):\n{self.log() or '(nothing)'}",
                )
            if select.select([handle], [], [], 0.1)[0]:
                data = os.read(handle, 65536)
                if not data:
                    raise self._died(stage)
                self._buffer += data
            elif self._process.poll() is not None and not select.select([handle], [], [], 0)[0]:
                raise self._died(stage)
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def _ask_where(self) -> None:
        """Let the child write down where its threads are; see ``child.main``."""
        with suppress(OSError):
            os.kill(self.pid, signal.SIGUSR1)
            time.sleep(0.3)

    def _died(self, stage: str) -> AppError:
        code = self._process.wait()
        if code == -signal.SIGKILL:
            what = f"the process was killed in stage {stage!r}, most likely for want of memory"
            hint = "measure on a machine with more free memory, or with a smaller request"
            return AppError(what, hint=hint, killed=True)
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        return AppError(
            f"the process ended {how} in stage {stage!r}", hint=f"the app's last words:\n{self.log() or '(nothing)'}"
        )

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it died: reading its next line says so
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
