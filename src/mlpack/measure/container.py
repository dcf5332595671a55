"""The measured worker in a container of its own: the built image, its user, mounts and variables, one process.

Everything is as rendered but the memory limit, which is what measuring is to find, and the health check, whose own
process would be counted. What the service needs (queue, database) is started beside it.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from mlpack.errors import MlpackError, TransientError
from mlpack.launchers import engine
from mlpack.launchers.container import is_here
from mlpack.measure.run import MakePlace
from mlpack.measure.worker import Place
from mlpack.meter.cgroup import CgroupDirs
from mlpack.meter.cgroup_find import find_cgroup
from mlpack.meter.sources import tree

PROC = Path("/proc")
START_S = 600.0
"""Until the container runs; what it depends on may have to become healthy first."""
UNBOUND = """\
services:
  {service}:
    deploy: {{resources: {{limits: {{memory: !reset null}}, reservations: {{memory: !reset null}}}}}}
    memswap_limit: !reset null
    healthcheck: !override {{disable: true}}
"""


class Run(Protocol):
    """What of a compose run is used here."""

    def argv(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """``docker compose WORDS`` for the run's project and files."""


def in_container(run: Run, service: str, scratch: Path, project: str, environ: Mapping[str, str]) -> MakePlace:
    """Places for ``measure``: each a fresh container of ``service``. ``scratch``: a folder for one more file."""
    file = scratch / "compose.measure.yaml"
    file.write_text(UNBOUND.format(service=service), encoding="utf-8")
    count = 0

    @contextmanager
    def make() -> Iterator[tuple[Place, str]]:
        nonlocal count
        count += 1
        name = f"{project}-measure-{service}-{count}"
        words = ("--file", str(file), "--progress", "quiet", "run", "--rm", "--no-TTY", "--name", name)
        argv = run.argv((*words, "--entrypoint", "python", service, "-u", "-c"))
        yield ContainerPlace(argv, service, name, environ), ""

    return make


@dataclass
class ContainerPlace:
    """One container, called ``name``. ``command``: all of its command line but the program's text."""

    command: tuple[str, ...]
    service: str
    name: str
    environ: Mapping[str, str]
    pid: int = 0

    @property
    def python(self) -> str:
        """Its Python is the image's."""
        return f"the image of {self.service}"

    @property
    def missing_hint(self) -> str:
        """Images hold what the requirements name."""
        return f"the image of {self.service} has no module {{!r}}: name its package in the requirements"

    def start(self, program: str, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Create and start it; the engine's client stays, as the conversation goes through it."""
        return subprocess.Popen(
            [*self.command, program],
            env=dict(self.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )

    def pid_of(self, started: subprocess.Popen[bytes]) -> int:
        """The worker itself, below the container's init."""
        until_s = time.monotonic() + START_S
        found = self._wait(lambda: self._running(started), until_s)
        first, ident = int(found["State"]["Pid"]), str(found["Id"])
        if not is_here(PROC, first, ident):
            raise MlpackError(
                "the engine's processes cannot be seen from here (it runs in a VM, or on another machine)",
                hint="measure where the engine runs, or leave --in-container out",
            )
        if found["HostConfig"].get("Init"):
            self.pid = self._wait(lambda: next((pid for pid in tree(PROC, first) if pid != first), None), until_s)
        else:
            self.pid = first
        return self.pid

    def counters(self) -> CgroupDirs | None:
        """The container's own control group."""
        return find_cgroup(PROC, self.pid)

    def seen_from_here(self, folder: str) -> Path:
        """Through the container's root, which needs root's rights."""
        return Path(f"/proc/{self.pid}/root{folder}")

    def end(self) -> None:
        """Remove it, whatever state it is in."""
        with suppress(MlpackError):  # the engine is gone: the run's own teardown says so
            engine.docker(("rm", "--force", "--volumes", self.name), self.environ, timeout_s=engine.REMOVE_S)

    def _running(self, started: subprocess.Popen[bytes]) -> dict[str, Any] | None:
        found = engine.inspect(self.name, self.environ)
        if found is not None and found["State"]["Pid"]:
            return found
        if started.poll() is not None:
            raise MlpackError(f"the container of {self.service} did not start", hint="its image is built; see above")
        return None

    def _wait(self, look: Callable[[], Any], until_s: float) -> Any:
        while (found := look()) is None:
            if time.monotonic() > until_s:
                raise TransientError(f"the container of {self.service} did not start within {START_S:g} s")
            time.sleep(0.05)
        return found
