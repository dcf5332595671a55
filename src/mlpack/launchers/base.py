"""What a launcher is: it starts what was rendered, says where it runs, and takes everything down again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from mlpack.client.trust import Trust
from mlpack.launchers.owner import Owner
from mlpack.plan import Plan

Say = Callable[[str], None]
"""Takes one line of progress."""
LauncherName = Literal["compose", "process", "systemd"]


LOG_LINES = 200
"""Lines of a log that are looked through: the tracebacks of several workers, and of the server itself."""


@dataclass(frozen=True)
class Deployment:
    """What is to be started: a rendered folder, its plan, and whose run this is."""

    root: Path
    """The project's folder."""
    folder: Path
    """Where the rendered files are: ``deploy/<profiles>``."""
    plan: Plan
    owner: Owner
    environ: Mapping[str, str]
    """The caller's environment: PATH, DOCKER_HOST, proxies, pip's settings."""
    reach: frozenset[str] = frozenset()
    """Services that must answer on a port of this machine, whether or not they are published."""
    python: Path | None = None
    """The Python with the app's packages, for local processes."""
    pinned: frozenset[str] = frozenset()
    """Services whose published ports stay as rendered: what runs outside of containers is told these numbers."""


@dataclass(frozen=True)
class State:
    """How one instance is doing, as its keeper (engine or operating system) says."""

    status: str
    """created, running, restarting, exited, dead: the engine's words."""
    running: bool
    exit_code: int | None = None
    oom_killed: bool = False
    """The kernel killed at least one of its processes for memory, as far as the keeper noticed."""
    restarts: int = 0
    health: str | None = None
    """starting, healthy, unhealthy; None where nobody checks."""


@dataclass(frozen=True)
class Keeping:
    """What starts an instance again when it ends. ``policy``: in the keeper's words, as rendered; ``problem``: why it
    cannot be put in force here, None when it is."""

    policy: str
    problem: str | None = None


class Instance(Protocol):
    """One running copy of a service: a container, or a group of local processes."""

    @property
    def service(self) -> str:
        """Name of the service."""

    @property
    def name(self) -> str:
        """How logs and messages call it."""

    @property
    def url(self) -> str | None:
        """``http://127.0.0.1:49153`` (https where it has a domain), or None where it has no port to answer on."""

    @property
    def plain_url(self) -> str | None:
        """Where it answers by plain HTTP only to send everybody to HTTPS; None where it does not."""

    @property
    def started_s(self) -> float:
        """When it was seen to start, by time.monotonic()."""

    @property
    def healthy_after_s(self) -> float | None:
        """Seconds from its start until its keeper first called it healthy; None: not seen (yet), or nobody checks."""

    def trust(self) -> Trust | None:
        """Whose certificate ``url`` shows, where that is https; None while there is none (yet). Raises VerifyError."""

    @property
    def container(self) -> str | None:
        """The container's full id; None for local processes."""

    @property
    def root_pid(self) -> int | None:
        """Its first process as this machine numbers it; None where it cannot be seen from here (VM, remote engine)."""

    def state(self) -> State:
        """How it is doing now."""

    def logs(self, lines: int = LOG_LINES) -> tuple[str, ...]:
        """The last ``lines`` lines it wrote."""

    def let_restart(self, *, on: bool) -> Keeping:
        """Let its keeper start it again when it ends, as it would in earnest (``on``), or, as in every trial, not."""

    def look_again(self) -> None:
        """Its keeper has started it anew: find out where it answers now."""


Seen = Callable[[Instance], None]
"""Is told that an instance runs."""


@dataclass(frozen=True)
class Built:
    """What a build made: evidence for the report, and the folders that hold the image's files where readable."""

    evidence: tuple[str, ...] = ()
    files: tuple[Path, ...] = field(default=())
    """Folders of files the services will map (image layers, a virtual environment); for dropping the page cache."""
    files_unread: str | None = None
    """Why ``files`` is empty, where it should not be."""


class Launched(Protocol):
    """One use of a launcher: ``build``, then ``start``; ``stop`` at any time, also after errors."""

    @property
    def name(self) -> LauncherName:
        """Which launcher this is, for the report."""

    @property
    def not_limited(self) -> tuple[str, ...]:
        """What could not be limited here, each with the reason; complete once started."""

    @property
    def secrets(self) -> Mapping[str, str]:
        """Name -> value of the deployment's secrets, once built. Never to be shown."""

    def build(self) -> Built:
        """Make what the services run from. Raises BuildFailed, TransientError."""

    def start(self, seen: Seen) -> tuple[Instance, ...]:
        """Start every service, waiting for health only where others depend on it; ``seen`` is told each instance as
        soon as it runs, maybe from another thread. Raises VerifyError, TransientError."""

    def stop(self) -> tuple[str, ...]:
        """Remove everything this run made and say what is left (nothing, that is). Safe at any moment, and twice."""


class Launcher(Protocol):
    """A module of ``launchers/`` with these four members."""

    @property
    def NAME(self) -> LauncherName:  # noqa: N802 - a module's constant
        """Its name in reports and on the command line."""

    def missing(self, environ: Mapping[str, str]) -> str | None:
        """Why it cannot be used here; None when it can."""

    def launch(self, deployment: Deployment, say: Say) -> Launched:
        """Prepare a run; nothing is started or written outside a temporary folder before ``build``."""

    def sweep(self, owner: Owner, environ: Mapping[str, str], say: Say) -> tuple[str, ...]:
        """Remove what dead earlier runs left behind, and say what that was."""
