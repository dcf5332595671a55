"""Which rendered deployment ``mlpack up`` and ``mlpack down`` are about."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from mlpack.errors import LockError, UsageError
from mlpack.flow import output_folder
from mlpack.lock import LOCK_NAME, Lock
from mlpack.project import find_root
from mlpack.write import read_lock


def is_root() -> bool:
    """Whether this process may install units; never on Windows, which knows no uid."""
    effective = getattr(os, "geteuid", None)
    return effective is not None and effective() == 0


@dataclass(frozen=True)
class Chosen:
    """A rendered folder and its lock."""

    root: Path
    folder: Path
    lock: Lock
    profiles: tuple[str, ...]

    @property
    def words(self) -> str:
        """The profiles as they are typed."""
        return shlex.join(self.profiles)


def chosen(project: Path, profiles: tuple[str, ...]) -> Chosen:
    """The deployment of ``profiles``; without any, the only one there is. Raises LockError and UsageError (exit 2)."""
    root = find_root(project)
    if not profiles:
        found = {
            path.parent: lock for path in sorted(root.glob(f"deploy/*/{LOCK_NAME}")) if (lock := read_lock(path.parent))
        }
        if len(found) > 1:
            names = "; ".join(shlex.join(lock.profiles) for lock in found.values())
            raise UsageError("several deployments are rendered here", hint=f"name the profiles of one: {names}")
        if not found:
            raise LockError("nothing was rendered here", where=str(root / "deploy"), hint="mlpack render prod")
        folder, lock = next(iter(found.items()))
        return Chosen(root, folder, lock, lock.profiles)
    folder = output_folder(root, profiles)
    only = read_lock(folder)
    if only is None:
        raise LockError(
            "nothing was rendered for these profiles",
            where=str(folder / LOCK_NAME),
            hint=f"mlpack render {shlex.join(profiles)}",
        )
    return Chosen(root, folder, only, profiles)
