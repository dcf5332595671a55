"""Makes a control group for one measurement where this user may, so that kernel memory and refaults are its own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlpack.meter.cgroup import CgroupDirs
from mlpack.meter.cgroup_find import find_cgroup

REMOVE_WITHIN_S = 2.0
"""A group can be removed only when its last process is fully gone, which takes the kernel a moment."""


@contextmanager
def own_cgroup(proc: Path, name: str) -> Iterator[tuple[CgroupDirs | None, str]]:
    """A fresh group called ``name`` beside this process's own counters, or (None, why not). Removed at the end.

    In v2 a group whose parent does not delegate its memory controller has no counters: that counts as "not".
    """
    parent = find_cgroup(proc, os.getpid())
    if parent is None:
        yield None, "this machine has no memory control group"
        return
    folder = parent.memory / name
    try:
        folder.mkdir()
    except OSError as error:
        yield None, f"no control group of its own could be made ({error.strerror})"
        return
    try:
        if (folder / "memory.stat").exists():
            yield CgroupDirs(parent.version, folder, folder if parent.version == 2 else None), ""
        else:
            yield None, "the memory controller is not delegated to this user's control group"
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    deadline = time.monotonic() + REMOVE_WITHIN_S
    while folder.exists():
        with suppress(OSError):
            folder.rmdir()
            return
        if time.monotonic() > deadline:
            return  # an empty group costs nothing, and its name says whose it was
        time.sleep(0.02)
