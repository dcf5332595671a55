"""Finds and removes what killed runs left behind; touches only what carries our label, and only of dead runs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from mlpack.launchers import engine
from mlpack.launchers.base import Say
from mlpack.launchers.owner import Owner, life, parse_owner

OWNER_FILE = "owner"
"""In a run's temporary folder: its label."""


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


def sweep_folders(here: Owner, parent: Path) -> tuple[str, ...]:
    """Remove temporary folders of dead runs below ``parent``."""
    removed = []
    for folder in sorted(parent.glob("mlpack-verify-*")):
        try:
            owner = parse_owner((folder / OWNER_FILE).read_text(encoding="utf-8"))
        except OSError:
            continue
        if owner is not None and life(owner, here) == "dead":
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(f"folder {folder}")
    return tuple(removed)
