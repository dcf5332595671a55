"""One service running at one point: its own process group in its own control group, ready when every worker is."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from bench.throughput import client

from mlpack import process
from mlpack.launchers import local_limit
from mlpack.launchers.process import ENTER, free_port

START_S = 120.0
IDLE_SHARE = 0.05
"""Of one core: workers that still load keep a core busy, idle ones only their heartbeats."""
IDLE_S = 0.25
IDLE_WINDOWS = 2
_numbers = itertools.count()


class NotReady(Exception):
    """The service ended, was killed or did not answer in time; the message is its last words."""


@dataclass
class Running:
    """A started service."""

    child: subprocess.Popen[str]
    limit: local_limit.Limit
    port: int
    log: Path

    def ready(self, health: str, workers: int) -> None:
        """Wait until /health answers and nothing loads any more. Raises NotReady."""
        request = f"GET {health} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode()
        deadline = time.monotonic() + START_S
        while client.ask(self.port, request, 2.0) is not None:
            self._alive(deadline)
            time.sleep(0.1)
        idle = 0
        while idle < IDLE_WINDOWS:
            self._alive(deadline)
            before = self.cpu_s()
            time.sleep(IDLE_S)
            quiet = self.cpu_s() - before < IDLE_SHARE * IDLE_S
            idle = idle + 1 if quiet and len(self.processes()) >= workers else 0

    def processes(self) -> list[psutil.Process]:
        """The group's leader and all below it."""
        try:
            leader = psutil.Process(self.child.pid)
            return [leader, *leader.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def cpu_s(self) -> float:
        """Processor seconds of all processes that live."""
        total = 0.0
        for one in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                total += times.user + times.system
        return total

    def pss_bytes(self) -> int:
        """Memory of all processes, each shared page once."""
        total = 0
        for one in self.processes():
            with contextlib.suppress(psutil.Error):
                total += one.memory_full_info().pss
        return total

    def stop(self) -> None:
        """End the group and remove its control groups."""
        process.end(self.child, grace_s=3.0)
        local_limit.remove(self.limit)

    def _alive(self, deadline: float) -> None:
        if self.child.poll() is not None or time.monotonic() > deadline:
            lines = self.log.read_text(errors="replace").strip().splitlines()
            raise NotReady(lines[-1] if lines else "nothing was said")


def start(
    argv: Sequence[str], environ: Mapping[str, str], folder: Path, wanted: local_limit.Wanted, log: Path
) -> Running:
    """Start ``argv`` (``{port}`` is replaced) in ``folder`` under ``wanted``.

    Raises SystemExit where no control group can be made: without limits the numbers would mean something else.
    """
    port = free_port()
    limit = local_limit.make_limit(f"throughput-{os.getpid()}-{next(_numbers)}", wanted, os.environ)
    if limit.not_limited:
        raise SystemExit(f"limits cannot be set: {'; '.join(limit.not_limited)}")
    joins = [str(group / "cgroup.procs") for group in limit.folders]
    words = [word.replace("{port}", str(port)) for word in argv]
    whole = (*limit.prefix, sys.executable, "-I", "-S", str(ENTER), *joins, "--", *words)
    child = process.start(whole, cwd=folder, env=environ, output=log)
    return Running(child, limit, port, log)
