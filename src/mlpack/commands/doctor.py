"""``mlpack doctor``: what happened to a deployment that is ill or has died, how sure that is, and what to change."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import yaml

from mlpack.console import heading, progress, say
from mlpack.doctor import Diagnosis, DoctorReport, Facts, Patient, diagnose
from mlpack.doctor.diagnose import cause_of
from mlpack.doctor.read import containers_of, read_container, read_unit
from mlpack.errors import ExitCode, LockError, MlpackError
from mlpack.lock import LOCK_NAME, Lock
from mlpack.project import find_root
from mlpack.reports.plain import plain
from mlpack.targets.systemd import services as unit_services
from mlpack.targets.systemd_unit import unit_name
from mlpack.units import show_duration
from mlpack.verify.remedies import remedies
from mlpack.write import read_lock

EVIDENCE_LINES = 14


def doctor_command(name: str | None, project: Path, *, as_json: bool, environ: Mapping[str, str] = os.environ) -> int:
    """0: nothing is wrong; 1: something is; 2: there is no such thing; 75: no engine answers. Raises MlpackError."""
    locks = _locks(project, required=name is None)
    if name is not None:
        facts = [read_unit(name) if name.endswith(".service") else read_container(name, environ)]
    else:
        facts = [one for lock, folder in locks for one in _all_of(lock, folder, environ)]
        if not facts:
            folders = ", ".join(str(folder) for _, folder in locks)
            raise MlpackError(
                "nothing of this project runs here, or did", where=folders, hint="./deploy.sh up starts it"
            )
    patients = tuple(_patient(one, locks) for one in facts)
    if as_json:
        say(DoctorReport(patients=patients).to_json().rstrip())
    else:
        for patient in patients:
            _show(patient)
    return ExitCode.FAILED if any(patient.diagnoses for patient in patients) else ExitCode.OK


def _locks(project: Path, *, required: bool) -> list[tuple[Lock, Path]]:
    """Every lock below deploy/; without a project only where one is needed."""
    try:
        root = find_root(project)
        found = [
            (lock, path.parent)
            for path in sorted(root.glob(f"deploy/*/{LOCK_NAME}"))
            if (lock := read_lock(path.parent))
        ]
    except MlpackError:
        if required:
            raise
        return []
    if required and not found:
        raise LockError(
            "nothing was rendered here", where=str(root / "deploy"), hint="name a container: mlpack doctor NAME"
        )
    return found


def _all_of(lock: Lock, folder: Path, environ: Mapping[str, str]) -> list[Facts]:
    """Containers of the rendered compose project, and units of the plan."""
    found = []
    compose = folder / "compose.yaml"
    if compose.is_file():
        project = (yaml.safe_load(compose.read_text(encoding="utf-8")) or {}).get("name") or folder.name
        found += [read_container(ident, environ) for ident in containers_of(project, environ)]
    for service in unit_services(lock.plan):
        try:
            found.append(read_unit(unit_name(lock.plan, service)))
        except MlpackError as error:
            progress(f"{service}: {error.what}")
    return found


def _patient(facts: Facts, locks: list[tuple[Lock, Path]]) -> Patient:
    """The diagnoses, with changes of mlpack.yaml where a lock's plan knows the service."""
    lock = next((lock for lock, _ in locks if _is_of(facts, lock)), None)
    service = None if lock is None else _service(facts, lock)
    if lock is None or service is None:
        return Patient(facts=facts, diagnoses=diagnose(facts))
    limit = lock.plan.services[service].memory.limit_bytes.value
    facts = facts.model_copy(update={"planned_limit_bytes": limit, "service": service})
    cause = cause_of(facts)
    found = []
    for one in diagnose(facts):
        like = cause if cause.kind == one.kind else cause.__class__(one.words, one.evidence, one.change, one.kind)
        found.append(one.model_copy(update={"patches": remedies(like, lock.plan, service, lock.world.host)}))
    return Patient(facts=facts, diagnoses=tuple(found))


def _is_of(facts: Facts, lock: Lock) -> bool:
    return _service(facts, lock) is not None and lock.plan.name in facts.name


def _service(facts: Facts, lock: Lock) -> str | None:
    if facts.kind == "unit":
        return next((one for one in unit_services(lock.plan) if unit_name(lock.plan, one) == facts.name), None)
    return facts.service if facts.service in lock.plan.services else None


def _show(patient: Patient) -> None:
    facts = patient.facts
    health = f", {facts.health.status}" if facts.health else ""
    code = f", exit code {facts.exit_code}" if facts.exit_code is not None else ""
    age = f" for {show_duration(facts.age_s)}" if facts.age_s else ""
    restarts = f", {facts.restarts} restarts" if facts.restarts else ""
    heading(f"{facts.name}: {facts.status}{age}{health}{code}{restarts}")
    for one in patient.diagnoses:
        _show_one(one)
    if not patient.diagnoses and facts.done:
        say("  done: it did its work and ended, which nothing starts again")
    elif not patient.diagnoses:
        say("  nothing is wrong, as far as can be seen from outside")
    for line in facts.unread:
        say(f"  not read: {plain(line)}")
    say("")


def _show_one(one: Diagnosis) -> None:
    say(f"  {one.sureness}: {plain(one.words)} [{one.kind}]")
    lines = [line for text in one.evidence for line in text.splitlines()]
    for line in lines[:EVIDENCE_LINES]:
        say(f"    {plain(line)}")
    if len(lines) > EVIDENCE_LINES:
        say(f"    ... {len(lines) - EVIDENCE_LINES} more lines; --json has them")
    if one.change:
        say(f"    what to do: {plain(one.change)}")
    for patch in one.patches:
        say(f"    in mlpack.yaml: {patch.path}: {patch.before or 'not set'} -> {patch.after} ({patch.reason})")
