"""``mlpack probe``: what this machine is, as a table or as JSON."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

from mlpack.console import facts_list, progress, say
from mlpack.errors import ExitCode, LockError
from mlpack.probe import Outside, differences, probe


def probe_command(project: Path, *, as_json: bool) -> int:
    """Show HostFacts. What cannot be read is listed with the reason and is no failure."""
    facts = probe(project, outside=Outside(plugins=not as_json))
    if as_json:
        say(facts.to_json().rstrip())
        return ExitCode.OK
    from mlpack.probe.table import rows  # here, so that nouns are imported while the engine is asked

    sections = groupby(rows(facts), key=lambda row: row[0])
    facts_list((section, [(name, value) for _, name, value in lines]) for section, lines in sections)
    return ExitCode.OK


def against_command(project: Path, lock: Path, *, as_json: bool) -> int:
    """Compare this machine with the one that ``lock`` was rendered for: 0 the same for every plan, 1 it differs.

    ``lock`` is an mlpack.lock or the folder it lies in. Raises LockError (exit 2) where it is missing or unusable.
    """
    from mlpack.lock import LOCK_NAME
    from mlpack.write import read_lock

    folder = lock if lock.is_dir() else lock.parent
    found = read_lock(folder) if lock.is_dir() or lock.name == LOCK_NAME else None
    if found is None:
        what = "there is no lock" if lock.is_dir() or not lock.exists() else f"is no {LOCK_NAME}"
        raise LockError(what, where=str(lock), hint=f"name the {LOCK_NAME} of a render, like deploy/prod/{LOCK_NAME}")
    differs = differences(found.world.host, probe(project))
    if as_json:
        say(json.dumps({"same": not differs, "differences": differs}, indent=2))
    elif differs:
        for line in differs:
            say(line)
    else:
        say("this machine is the one in the lock, in everything that a plan depends on")
    if differs:
        progress(f"  take this machine into the lock: mlpack render {' '.join(found.profiles)} --reprobe")
    return ExitCode.FAILED if differs else ExitCode.OK
