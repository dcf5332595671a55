"""Finds and removes what killed runs left behind; touches only what carries our label, and only of dead runs."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from mlpack.launchers import engine, local_limit
from mlpack.launchers.base import Say
from mlpack.launchers.owner import VARIABLE, Owner, life, parse_owner

OWNER_FILE = "owner"
"""In a run's temporary folder: its label."""
GROUPS_FILE = "groups"
"""Beside it: the control groups that the run made, a path a line."""


def sweep_engine(here: Owner, environ: Mapping[str, str], say: Say) -> tuple[str, ...]:
    """Remove containers, networks and volumes of dead runs of this machine; name those of runs we cannot judge."""
    found = engine.labelled(environ)
    dead: list[engine.Found] = []
    strange: set[str] = set()
    for thing in found:
        owner = parse_owner(thing.label)
        if owner is None:
            continue
        alive = life(owner, here)
        if alive == "dead":
            dead.append(thing)
        elif alive == "unknown":
            strange.add(thing.project or owner.project)
    for project in sorted(strange):
        say(f"{project} belongs to a run on another machine; if it is dead: docker compose -p {project} down --volumes")
    if not dead:
        return ()
    engine.remove(dead, environ)
    removed = tuple(f"{thing.kind} {thing.ident[:24]}" for thing in dead)
    say("removed what a killed run left behind: " + ", ".join(removed))
    return removed


def sweep_processes(here: Owner, say: Say) -> tuple[str, ...]:
    """Kill local services of dead runs, by exact pid: their environment says whose they are."""
    removed = []
    for process in psutil.process_iter():
        try:
            owner = parse_owner(process.environ().get(VARIABLE, ""))
        except (psutil.Error, OSError):
            continue  # not ours to read, so not ours
        if owner is not None and process.pid != os.getpid() and life(owner, here) == "dead":
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, signal.SIGKILL)
                removed.append(f"process {process.pid}")
    if removed:
        say("ended what a killed run left behind: " + ", ".join(removed))
    return tuple(removed)


def sweep_folders(here: Owner, parent: Path) -> tuple[str, ...]:
    """Remove temporary folders of dead runs below ``parent``."""
    removed = []
    for folder in sorted(parent.glob("mlpack-verify-*")):
        try:
            owner = parse_owner((folder / OWNER_FILE).read_text(encoding="utf-8"))
        except OSError:
            continue
        if owner is None or life(owner, here) != "dead":
            continue
        if _remove_groups(folder):  # else the next run finds it again
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(f"folder {folder}")
    return tuple(removed)


def note_groups(folder: Path, groups: tuple[Path, ...]) -> None:
    """Write down that the run of temporary folder ``folder`` made these control groups."""
    with (folder / GROUPS_FILE).open("a", encoding="utf-8") as stream:
        stream.writelines(f"{group}\n" for group in groups)


def _remove_groups(folder: Path) -> bool:
    """Remove the control groups that ``folder`` names, with what still runs in them; False when one stays."""
    try:
        lines = (folder / GROUPS_FILE).read_text(encoding="utf-8").splitlines()
    except OSError:
        return True
    project = folder.name.rpartition("-")[0]  # mkdtemp's own suffix goes off
    ours = tuple(Path(line) for line in lines if Path(line).name.startswith(project))
    return not local_limit.remove(local_limit.Limit(ours))
