"""Finds a process's control group on this machine: /proc/PID/cgroup says its path, mountinfo where that is mounted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlpack.meter.cgroup import CgroupDirs


@dataclass(frozen=True)
class CgroupMount:
    """A mounted hierarchy: ``root`` is the part of the tree that is visible at ``point``. v2 has no controllers."""

    version: int
    point: str
    root: str
    controllers: frozenset[str]


def find_cgroup(proc: Path, pid: int, *, reader: int | str = "self") -> CgroupDirs | None:
    """The group of ``pid`` as folders that this process can open, or None (no memory controller, or it ended).

    ``reader``: the process whose mounts are used, this one by default.
    """
    try:
        groups = parse_groups((proc / str(pid) / "cgroup").read_text())
        mounts = parse_mounts((proc / str(reader) / "mountinfo").read_text())
    except OSError:
        return None
    return choose(groups, mounts)


def choose(groups: dict[str, str], mounts: tuple[CgroupMount, ...]) -> CgroupDirs | None:
    """Where memory and CPU counters are: in v1 where its memory controller is mounted (hybrid included), else v2."""
    memory = _place("memory", groups, mounts)
    if memory is not None:
        return CgroupDirs(1, memory, _place("cpu", groups, mounts))
    for mount in mounts:
        if mount.version == 2 and "" in groups:
            folder = _below(mount, groups[""])
            return CgroupDirs(2, folder, folder)
    return None


def parse_groups(text: str) -> dict[str, str]:
    """/proc/PID/cgroup as controller -> path; the v2 path has the key ""."""
    found = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        found.update(dict.fromkeys(controllers.split(","), path))
    return found


def parse_mounts(text: str) -> tuple[CgroupMount, ...]:
    """The control group hierarchies of mountinfo."""
    found = []
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        if kind not in ("cgroup", "cgroup2"):
            continue
        root, point = (_unescape(word) for word in left.split(" ")[3:5])
        controllers = frozenset(options.split(",")) if kind == "cgroup" else frozenset[str]()
        found.append(CgroupMount(1 if kind == "cgroup" else 2, point, root, controllers))
    return tuple(found)


def _place(controller: str, groups: dict[str, str], mounts: tuple[CgroupMount, ...]) -> Path | None:
    for mount in mounts:
        if mount.version == 1 and controller in mount.controllers and controller in groups:
            return _below(mount, groups[controller])
    return None


def _below(mount: CgroupMount, path: str) -> Path:
    """``path`` of the hierarchy under its mount point. In a container without an own cgroup namespace the mount shows
    only the container's part (``root``), while the path is told from the top."""
    inside, root = PurePosixPath(path), PurePosixPath(mount.root)
    relative = inside.relative_to(root) if inside.is_relative_to(root) else inside.relative_to("/")
    return Path(mount.point) / relative


def _unescape(word: str) -> str:
    """mountinfo writes space, tab, newline and backslash in octal."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        word = word.replace(code, character)
    return word
