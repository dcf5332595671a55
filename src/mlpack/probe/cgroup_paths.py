"""Where the limits of this process are written: from /proc/self/cgroup and the cgroup mounts to folders. Pure.

A process's cgroup and its mount are told relative to different roots: in a container the mount may show only the
container's own part (cgroup v1: the mount's root is ``/docker/<id>``), or the process may be outside what is shown
(``/../..``). cgroups(7), cgroup_namespaces(7).
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from mlpack.probe.mounts import Mount

CONTROLLERS = ("memory", "cpu", "pids")
"""Those whose limits bound a plan; cpuset shows in the affinity."""

Version = Literal["v1", "v2", "hybrid", "none"]


class Level(NamedTuple):
    """One cgroup on the way to the root: its name as this process sees it, and the folder with its files."""

    name: str
    folder: str


class Hierarchy(NamedTuple):
    """The way of one controller: ``levels`` from this process's cgroup upwards, as far as the mount shows."""

    controller: str
    v2: bool
    levels: tuple[Level, ...]
    hidden: str | None = None
    """Why this process's cgroup is not below the mount; ``levels`` is empty then."""


def version_of(mounts: tuple[Mount, ...]) -> Version:
    """Which cgroup layout is mounted. Only v1 mounts with a real controller count: systemd keeps a named one beside."""
    v2 = any(mount.filesystem == "cgroup2" for mount in mounts)
    v1 = any(_carries(mount, controller) for mount in mounts for controller in CONTROLLERS)
    if v1:
        return "hybrid" if v2 else "v1"
    return "v2" if v2 else "none"


def hierarchies(self_cgroup: str | None, mounts: tuple[Mount, ...]) -> tuple[Hierarchy, ...]:
    """One hierarchy per controller of CONTROLLERS that is mounted and that this process belongs to."""
    own = _own_cgroups(self_cgroup or "")
    found = []
    for controller in CONTROLLERS:
        mount = next((mount for mount in mounts if _carries(mount, controller)), None)
        v2 = mount is None
        mount = mount or next((mount for mount in mounts if mount.filesystem == "cgroup2"), None)
        name = own.get("" if v2 else controller)
        if mount is not None and name is not None:
            found.append(_hierarchy(controller, v2, name, mount))
    return tuple(found)


def _carries(mount: Mount, controller: str) -> bool:
    return mount.filesystem == "cgroup" and controller in mount.options


def _own_cgroups(text: str) -> dict[str, str]:
    """Controller -> path; the v2 path is under "". A line is ``id:controller,controller:path``."""
    own = {}
    for line in text.splitlines():
        match = re.fullmatch(r"\d+:([^:]*):(/.*)", line)
        if match:
            own.update(dict.fromkeys(match[1].split(","), match[2]))
    return own


def _hierarchy(controller: str, v2: bool, name: str, mount: Mount) -> Hierarchy:
    if ".." in name.split("/") or not _below(name, mount.root):
        why = f"this process's cgroup {name} is not below {mount.root}, which is mounted at {mount.point}"
        return Hierarchy(controller, v2, (), hidden=why)
    shown = [part for part in name[len(mount.root.rstrip("/")) :].split("/") if part]
    levels = []
    for depth in range(len(shown), -1, -1):
        below = "".join(f"/{part}" for part in shown[:depth])
        levels.append(Level((mount.root.rstrip("/") + below) or "/", mount.point.rstrip("/") + below))
    return Hierarchy(controller, v2, tuple(levels))


def _below(name: str, root: str) -> bool:
    return root in ("/", name) or name.startswith(f"{root}/")
