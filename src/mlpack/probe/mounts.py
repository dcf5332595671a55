"""/proc/self/mountinfo: which file systems are mounted where. Pure parsing."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import NamedTuple


class Mount(NamedTuple):
    """One line of mountinfo (proc_pid_mountinfo(5))."""

    root: str
    """The folder of the file system that is shown at ``point``: not ``/`` in most containers' cgroup mounts."""
    point: str
    filesystem: str
    source: str
    options: tuple[str, ...]
    """The superblock's; for cgroup v1 they name the controllers."""
    device: str = ""
    """``major:minor``; 0:N where no block device is behind it."""


def parse_mountinfo(text: str | None) -> tuple[Mount, ...]:
    """The mounts in ``text``, in order; lines that are not of the format are left out."""
    mounts = []
    for line in (text or "").splitlines():
        before, dash, after = line.partition(" - ")
        left, right = before.split(" "), after.split(" ")
        if dash and len(left) >= 6 and len(right) >= 3:
            mounts.append(
                Mount(_plain(left[3]), _plain(left[4]), right[0], _plain(right[1]), tuple(right[2].split(",")), left[2])
            )
    return tuple(mounts)


def mount_of(path: PurePosixPath, mounts: tuple[Mount, ...]) -> Mount | None:
    """The mount that holds ``path``: the longest mount point above it, the last one where several are stacked."""
    holding = [mount for mount in mounts if path.is_relative_to(mount.point)]
    return max(reversed(holding), key=lambda mount: len(mount.point), default=None)


def _plain(text: str) -> str:
    """Undo the kernel's escapes: a space is written ``\\040``."""
    return re.sub(r"\\([0-3][0-7]{2})", lambda match: chr(int(match[1], 8)), text)
