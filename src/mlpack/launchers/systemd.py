"""Installs what was rendered as units, by its own script, and takes all of it away again; containers beside them too.

Units have fixed names, ports and folders, so this is for a machine where the project is not installed: anything of it
that is there already refuses the run before anything is done.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mlpack.errors import MlpackError, VerifyError
from mlpack.launchers import compose
from mlpack.launchers.base import Built, Deployment, Instance, LauncherName, Say, Seen
from mlpack.launchers.local_python import package_folders
from mlpack.launchers.owner import Owner
from mlpack.launchers.secret_values import read_secrets
from mlpack.launchers.unit import Unit, shown
from mlpack.launchers.unit_traces import Traces, leftovers, traces_of
from mlpack.process import run, stream
from mlpack.servers.proxy import site
from mlpack.servers.wiring import upstreams
from mlpack.targets.systemd import services as unit_services
from mlpack.targets.systemd_programs import python_of, runs_code
from mlpack.targets.systemd_unit import unit_name

NAME: LauncherName = "systemd"
SCRIPT = "systemd/install.sh"
BOOTED = Path("/run/systemd/system")
INSTALL_S = 1800.0
"""Making the Python environment included."""
LOOK_S = 0.2


def missing(environ: Mapping[str, str]) -> str | None:  # noqa: ARG001 - the Launcher protocol's parameter
    """Why units cannot be tried here; None when they can."""
    if not BOOTED.is_dir():
        return "units need systemd, and this machine was not started by it"
    return "units are installed and removed by root" if os.geteuid() != 0 else None


def launch(deployment: Deployment, say: Say) -> Units:
    """A run of ``deployment``. Raises VerifyError for what cannot be tried on this machine."""
    plan = deployment.plan
    if not (deployment.folder / SCRIPT).is_file():
        raise VerifyError("no units are rendered", where=str(deployment.folder / SCRIPT), hint="`mlpack render` first")
    if str(deployment.root) != plan.spec.root_path:
        raise VerifyError(
            f"units find their project at {plan.spec.root_path}, this one is at {deployment.root}",
            hint="move or mount it there, or set `root:` in mlpack.yaml and render again",
        )
    for name in unit_services(plan):
        if plan.services[name].server == "caddy" and site(plan, name).certified:
            hint = "verify the other shapes, or give it a name below .localhost or .test in a profile of the trial"
            raise VerifyError(f"{name} would ask a public authority for {plan.spec.services[name].domain}", hint=hint)
    there = leftovers(plan)
    if there:
        raise VerifyError(
            f"this project is installed here already: {', '.join(there)}",
            hint=f"a trial would use and remove it. On a machine of its own, or after {SCRIPT} uninstall and removing "
            "its folders below /var/lib",
        )
    return Units(deployment, say)


def sweep(owner: Owner, environ: Mapping[str, str], say: Say) -> tuple[str, ...]:
    """Remove the units of dead earlier runs, and what stood beside them in containers."""
    removed = Traces.sweep(owner, say)
    return removed + (compose.sweep(owner, environ, say) if compose.missing(environ) is None else ())


class Units:
    """The units of one run, and in the hybrid shape its containers, from installation to removal."""

    name = NAME

    def __init__(self, deployment: Deployment, say: Say) -> None:
        self._deployment, self._say = deployment, say
        self._traces: Traces | None = None
        self._known: dict[str, Unit] = {}
        self._beside: compose.Composed | None = None
        if (deployment.folder / compose.COMPOSE_FILE).is_file():
            # units find these where they are published: such ports stay as rendered
            plan = deployment.plan
            needed = frozenset(other for name in unit_services(plan) for other in upstreams(plan, name))
            self._beside = compose.launch(replace(deployment, pinned=needed), say)

    @property
    def not_limited(self) -> tuple[str, ...]:
        """Every limit is systemd's to set."""
        return ()

    @property
    def secrets(self) -> Mapping[str, str]:
        """Values of the deployment's secrets; empty until the script has made them."""
        return read_secrets(self._deployment.plan, self._deployment.folder)

    def build(self) -> Built:
        """Images beside the units; the Python environment is the script's to make. Raises what a build raises."""
        built = self._beside.build() if self._beside is not None else Built()
        done = run((str(self._deployment.folder / SCRIPT), "secrets"), timeout_s=60, check=False)
        if done.code != 0:
            raise VerifyError(f"the secrets cannot be made: {(done.stderr or done.stdout).strip()[-500:]}")
        plan = self._deployment.plan
        pythons = {Path(python_of(plan, name)) for name in unit_services(plan) if runs_code(plan, name)}
        there = [folder for python in sorted(pythons) if python.exists() for folder in package_folders(python)]
        said = (*built.evidence, "the units' Python is made or looked at by install.sh")
        return Built(said, (*built.files, *there), built.files_unread)

    def start(self, seen: Seen) -> tuple[Instance, ...]:
        """Containers first, then install.sh, which waits until models are loaded. Raises VerifyError: it failed."""
        beside = self._beside.start(seen) if self._beside is not None else ()
        plan = self._deployment.plan
        self._traces = traces_of(plan, self._deployment.folder / SCRIPT, self._deployment.owner)
        with self._looking(seen):
            done = stream((str(self._deployment.folder / SCRIPT),), self._say, timeout_s=INSTALL_S)
        if done.code != 0:
            said = "\n  ".join(done.stdout.splitlines()[-12:])
            raise VerifyError(f"the units did not start:\n  {said}", where=str(self._deployment.folder / SCRIPT))
        self._look(seen)
        return (*(self._known[name] for name in unit_services(plan) if name in self._known), *beside)

    def stop(self) -> tuple[str, ...]:
        """Units, their folders and containers away; what is left, in words."""
        left: tuple[str, ...] = ()
        if self._traces is not None:
            left = self._traces.remove(self._say)
            self._traces = None
        return left + (self._beside.stop() if self._beside is not None else ())

    @contextmanager
    def _looking(self, seen: Seen) -> Iterator[None]:
        """Meanwhile, tell of each unit as soon as it has a process: its load is then watched."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(LOOK_S):
                self._look(seen)

        thread = threading.Thread(target=look, daemon=True, name="units")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _look(self, seen: Seen) -> None:
        for name in unit_services(self._deployment.plan):
            try:
                lives = int(shown(unit_name(self._deployment.plan, name)).get("MainPID") or 0) > 0
            except MlpackError:
                continue
            if lives and name not in self._known:
                self._known[name] = Unit(self._deployment.plan, name)
                seen(self._known[name])
