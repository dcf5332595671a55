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
from pathlib import Path
from typing import IO, Any

from mlpack.errors import MlpackError
from mlpack.measure.errors import AppError, explain
from mlpack.meter.bundle import bundle
from mlpack.meter.cgroup import CgroupDirs
from mlpack.meter.sources import tree
from mlpack.units import show_duration

PROGRAM = ("mlpack.measure.drive", "mlpack.measure.child")
LAUNCH = """\
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if sys.argv[1]:
    open(sys.argv[1], "w").write("0")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Before the worker itself: PR_SET_PDEATHSIG (it dies with mlpack, however that ends), and its control group, so that
its memory is charged there from the first page."""


class Worker:
    """A measured process. ``with`` ends it and all that it started."""

    def __init__(
        self, python: Path, root: Path, env: Mapping[str, str], task: Mapping[str, Any], dirs: CgroupDirs | None
    ) -> None:
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._python = python
        group = str(dirs.memory / "cgroup.procs") if dirs else ""
        program = bundle(PROGRAM, "main_module.main()")
        argv = [str(python), "-I", "-S", "-c", LAUNCH, group, str(python), "-u", "-c", program]
        try:
            # Not process.run: this one is talked with while it lives.
            self._process = subprocess.Popen(
                argv,
                cwd=root,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                start_new_session=True,
            )
        except OSError as error:
            self._log.close()
            hint = "name the project's Python with --python"
            raise MlpackError(f"cannot start {python}: {error.strerror}", where=str(root), hint=hint) from error
        self.pid = self._process.pid
        self._buffer = b""
        self._send(json.dumps(dict(task)))

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in reversed(tree(Path("/proc"), self.pid)):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def go(self) -> None:
        """Let it go on to the next stage."""
        self._send("go")

    def stage(self, name: str, within_s: float) -> dict[str, Any]:
        """Wait until stage ``name`` is over; it then holds still. Raises AppError: the app failed, hung, or died."""
        message = self._next(name, time.monotonic() + within_s, within_s)
        if "error" in message:
            raise explain(message, python=self._python, log=self.log())
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
                raise AppError(
                    f"stage {stage!r} did not end within {show_duration(within_s)}; the process was ended",
                    hint=f"a hang, or more time is needed. The app's last words:\n{self.log() or '(nothing)'}",
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
