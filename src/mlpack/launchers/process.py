"""Starts what was rendered as local processes: no engine needed, the planned limits wherever this user may set them."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from mlpack import process as runner
from mlpack.launchers import local_limit
from mlpack.launchers.base import Built, Deployment, Instance, LauncherName, Say, Seen
from mlpack.launchers.leftovers import OWNER_FILE, note_groups, sweep_folders, sweep_processes
from mlpack.launchers.local_instance import LocalInstance
from mlpack.launchers.local_python import command, find_python, package_folders, require_module, service_environ
from mlpack.launchers.owner import VARIABLE, Owner
from mlpack.launchers.relocate import left_out, local_argv, relocated
from mlpack.launchers.secret_values import make_secrets, read_secrets
from mlpack.plan import Plan
from mlpack.servers.secrets import held_variables
from mlpack.servers.wiring import environment

NAME: LauncherName = "process"
STOP_GRACE_S = 10.0
ALWAYS_DIFFERENT = (
    "file system: local processes see this machine's, writable as for you (containers: read-only root, own /tmp)",
    "user: local processes run as you, not as the image's user",
)
ENTER_S = 10.0
ENTER = Path(__file__).with_name("enter.py")


def missing(environ: Mapping[str, str]) -> str | None:  # noqa: ARG001 - the Launcher protocol's parameter
    """Why it cannot be used: only where processes have no groups (Windows)."""
    return "local services need a POSIX system" if sys.platform == "win32" else None


def launch(deployment: Deployment, say: Say) -> Local:
    """A run of ``deployment``. Raises VerifyError: no Python with the app's packages, a program is missing."""
    return Local(deployment, say)


def sweep(owner: Owner, environ: Mapping[str, str], say: Say) -> tuple[str, ...]:  # noqa: ARG001
    """End processes of dead earlier runs, remove their control groups and temporary folders."""
    return sweep_processes(owner, say) + sweep_folders(owner, Path(tempfile.gettempdir()))


class Local:
    """The services of one run as process groups, from start to end."""

    name = NAME

    def __init__(self, deployment: Deployment, say: Say) -> None:
        self._deployment, self._say = deployment, say
        self._python = find_python(deployment.root, deployment.plan.spec, deployment.python)
        self._scratch: Path | None = None
        self._secrets: dict[str, str] = {}
        self._children: list[subprocess.Popen[str]] = []
        self._limits: list[local_limit.Limit] = []
        self._not_limited: list[str] = list(ALWAYS_DIFFERENT)

    @property
    def not_limited(self) -> tuple[str, ...]:
        """What could not be limited, with the reasons."""
        return tuple(self._not_limited)

    def build(self) -> Built:
        """Nothing is built; secrets are made, the Python is asked for the server's package. Raises VerifyError."""
        deployment = self._deployment
        make_secrets(deployment.plan, deployment.folder, deployment.environ, self._say)
        self._secrets = read_secrets(deployment.plan, deployment.folder)
        for name, service in self._deployment.plan.services.items():
            if name not in left_out(self._deployment.plan):
                require_module(service.server, self._python, self._environ({}), self._deployment.root)
        return Built((f"no image is built: {self._python} runs the services",), package_folders(self._python))

    @property
    def secrets(self) -> Mapping[str, str]:
        """Values of the deployment's secrets; empty until built."""
        return self._secrets

    def start(self, seen: Seen) -> tuple[Instance, ...]:
        """Start every service that can run here. Raises VerifyError when a program is missing."""
        owner = self._deployment.owner
        self._scratch = Path(tempfile.mkdtemp(prefix=f"{owner.project}-"))
        (self._scratch / OWNER_FILE).write_text(owner.label, encoding="utf-8")
        skipped = left_out(self._deployment.plan)
        self._not_limited += [f"{name} is not started: {reason}" for name, reason in skipped.items()]
        started: list[Instance] = []
        first: dict[str, int] = {}
        for name in (name for name in self._deployment.plan.services if name not in skipped):
            first[name] = free_port()
        for name, port in first.items():
            for replica in range(self._deployment.plan.services[name].replicas.value):
                ports = first if replica == 0 else {**first, name: free_port()}
                plan = relocated(self._deployment.plan, str(self._deployment.root), ports)
                started.append(self._start_one(plan, name, replica + 1, port if replica == 0 else ports[name]))
                seen(started[-1])
        return tuple(started)

    def stop(self) -> tuple[str, ...]:
        """End every process group, remove groups and files; what is left, in words."""
        for child in self._children:
            runner.end(child, grace_s=STOP_GRACE_S)
        left = tuple(line for limit in self._limits for line in local_limit.remove(limit))
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
        self._children, self._limits, self._scratch = [], [], None
        return left

    def _start_one(self, plan: Plan, name: str, replica: int, port: int) -> Instance:
        assert self._scratch is not None
        service = plan.services[name]
        group = f"{self._deployment.owner.project}-{name}-{replica}"
        wanted = local_limit.Wanted(service.memory.limit_bytes.value, service.cpus.value, service.pids.value)
        limit = local_limit.make_limit(group, wanted, self._deployment.environ)
        self._limits.append(limit)
        note_groups(self._scratch, limit.folders)
        self._not_limited += [line.replace(group, f"{name}-{replica}") for line in limit.not_limited]
        environ = self._environ(environment(plan, name) | self._held(plan, name))
        argv = command(local_argv(plan, name), self._python, environ)
        joins = [str(folder / "cgroup.procs") for folder in limit.folders]
        log = self._scratch / f"{name}-{replica}.log"
        self._say(f"starting {name}: {' '.join(argv)}")
        child = runner.start(
            (*limit.prefix, str(self._python), "-I", "-S", str(ENTER), *joins, "--", *argv),
            cwd=self._deployment.root,
            env=environ,
            output=log,
        )
        self._children.append(child)
        _wait_entered(child)
        return LocalInstance(
            service=name, name=f"{name}-{replica}", url=f"http://127.0.0.1:{port}", child=child, log=log
        )

    def _held(self, plan: Plan, name: str) -> dict[str, str]:
        """Variables with a secret inside, as far as it has a value."""
        held = held_variables(plan, name).items()
        return {k: one.before + self._secrets[one.secret] + one.after for k, one in held if one.secret in self._secrets}

    def _environ(self, own: Mapping[str, str]) -> dict[str, str]:
        marked = {VARIABLE: self._deployment.owner.label, **own}
        return service_environ(self._deployment.environ, self._python, marked)


def _wait_entered(child: subprocess.Popen[str]) -> None:
    """Until ``child`` has joined its groups and become the service (or ended): what is read of it is then its own."""
    deadline = time.monotonic() + ENTER_S
    while child.poll() is None and time.monotonic() < deadline:
        try:
            words = Path(f"/proc/{child.pid}/cmdline").read_bytes()
        except OSError:
            return  # no /proc here
        if words and str(ENTER).encode() not in words:  # empty for a moment, in the middle of exec
            return
        time.sleep(0.01)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
