"""verify: starts what was rendered, asks it real questions under its limits, and reports. Everything is taken down."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path

from mlpack import __version__
from mlpack.errors import MlpackError, TransientError, UsageError, VerifyError
from mlpack.host import HostFacts
from mlpack.launchers import LAUNCHERS, compose, engine, process, systemd
from mlpack.launchers.base import Deployment, Launcher, LauncherName, Say
from mlpack.launchers.engine import NotAllowed
from mlpack.launchers.owner import current_owner
from mlpack.lock import Lock
from mlpack.plan import Plan
from mlpack.report import VerifyReport
from mlpack.servers.paths import deploy_folder
from mlpack.units import show_bytes
from mlpack.verify.cards import missing_cards
from mlpack.verify.checks import checks_for
from mlpack.verify.conduct import conduct
from mlpack.verify.run import Run

__all__ = ["verify"]
AUTO = "auto"


def verify(
    root: Path,
    lock: Lock,
    *,
    launcher: str | None = None,
    python: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
    skip: Collection[str] = (),
    environ: Mapping[str, str] | None = None,
    host: HostFacts | None = None,
    thorough: bool = False,
) -> VerifyReport:
    """Verify the deployment that ``lock`` describes, rendered below ``root``, and return the report.

    ``launcher``: ``compose``, ``process``, ``systemd``, or None (``auto``): units where some are rendered, else
    compose where an engine answers. ``python``: the one
    with the app's packages, for local processes. ``progress`` takes one line at a time. ``skip``: names of checks to
    leave out. ``environ``: this process's by default. ``host``: this machine's facts, compared with the lock's.
    ``thorough``: try also what takes longer than is waited for by default, where a check says so.

    A failed check is in the report. Raises TransientError (engine down, pull failed), VerifyError (cannot be started
    at all), UsageError (no such launcher) and KeyboardInterrupt; nothing is left behind in any case.
    """
    from mlpack.probe import differences, probe

    began = datetime.now(UTC)
    variables = dict(os.environ if environ is None else environ)
    chosen = _choose(launcher, lock.plan, variables, progress)
    owner = current_owner()
    removed = chosen.sweep(owner, variables, progress)
    if removed:
        progress(f"{len(removed)} leftovers of a killed run removed")
    here = host or probe(root)
    differs = differences(lock.world.host, here)
    no_card = missing_cards(lock.plan, here)
    for line in differs:
        progress(f"this machine differs from the lock's: {line}")
    deployment = Deployment(
        root=root.resolve(),
        folder=(root / deploy_folder(lock.profiles)).resolve(),
        plan=lock.plan,
        owner=owner,
        environ=variables,
        reach=_reach(lock.plan),
        python=python,
    )
    launched = chosen.launch(deployment, progress)
    run = Run(root=deployment.root, lock=lock, launched=launched, environ=variables, say=progress)
    run.no_card, run.thorough = no_card, thorough
    checks = checks_for(lock.plan, launched.name)
    report = conduct(run, host_differs=differs, skip=skip, checks=checks)
    said = {"mlpack_version": __version__, "began_at": began.strftime("%Y-%m-%dT%H:%M:%SZ"), "machine": _machine(here)}
    return report.model_copy(update=said)


def _machine(here: HostFacts) -> str:
    """``2 cores, 24 GiB, x86_64``."""
    cores, memory = here.cpu.affinity_cores, show_bytes(here.memory.total_bytes)
    return f"{cores} core{'s' if cores != 1 else ''}, {memory}, {here.cpu.architecture}"


def _choose(wanted: str | None, plan: Plan, environ: Mapping[str, str], say: Say) -> Launcher:
    """The launcher to use. Raises UsageError (unknown), TransientError (it cannot be used now), MlpackError (no
    Compose), VerifyError (units were rendered, and this machine cannot run them)."""
    units = [name for name, service in plan.services.items() if service.target == "systemd"]
    if units and wanted in (None, AUTO, systemd.NAME, compose.NAME):
        return _for_units(wanted, units)
    if wanted not in (None, AUTO):
        names: dict[str, LauncherName] = {name: name for name in LAUNCHERS}
        if wanted not in names:
            raise UsageError(f"there is no launcher {wanted!r}", hint=f"one of: auto, {', '.join(names)}")
        launcher = LAUNCHERS[names[wanted]]
        reason = launcher.missing(environ)
        if reason is not None:
            other = "`--launcher process` needs no engine" if wanted == "compose" else None
            raise engine.unusable(reason, other)
        return launcher
    reasons: list[str] = []
    for launcher in (LAUNCHERS[name] for name in (compose.NAME, process.NAME)):
        try:
            reason = launcher.missing(environ)
        except NotAllowed:
            raise  # containers are what was rendered; local processes only on request
        except MlpackError as error:
            reason = error.what
        if reason is None:
            if reasons:
                say(f"{'; '.join(reasons)}: using the {launcher.NAME} launcher")
            return launcher
        reasons.append(reason)
    raise TransientError("nothing can start services here: " + "; ".join(reasons))


def _for_units(wanted: str | None, units: list[str]) -> Launcher:
    """systemd's launcher. Raises VerifyError where it cannot be used: another try on this machine changes nothing."""
    names = ", ".join(units)
    if wanted == compose.NAME:
        raise VerifyError(f"these are units, not containers: {names}", hint="`--launcher systemd`, or leave it out")
    reason = systemd.missing({})
    if reason is not None:
        hint = "verify it on the server itself; `--launcher process` runs the same commands here, without the units"
        raise VerifyError(f"{reason}; these are rendered as units: {names}", hint=hint)
    return LAUNCHERS[systemd.NAME]


def _reach(plan: Plan) -> frozenset[str]:
    """Services that verify must be able to ask: those that requests name, and those with a health route."""
    named = {step.to for request in plan.spec.requests.values() for step in request.steps if step.to is not None}
    healthy = {name for name, service in plan.services.items() if service.health is not None and service.health.path}
    return frozenset(named | healthy)
