"""Raw -> HostFacts: pure. What could not be read is listed with the reason; nothing is guessed."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal

from mlpack.errors import MlpackError
from mlpack.host import CgroupFacts, CpuFacts, DiskFacts, HostFacts, MemoryFacts, Unread
from mlpack.probe.cgroup import parse_cgroup
from mlpack.probe.cpu import parse_cpu
from mlpack.probe.desktop import Desktop
from mlpack.probe.engine import parse_engine
from mlpack.probe.gpus import parse_gpus
from mlpack.probe.memory import parse_meminfo
from mlpack.probe.mounts import mount_of
from mlpack.probe.raw import Raw
from mlpack.probe.virtualisation import is_wsl, virtualisation

System = Literal["Linux", "Darwin", "Windows"]


def parse(raw: Raw) -> HostFacts:
    """The machine that ``raw`` describes. Raises MlpackError on an unknown system or unreadable memory."""
    system = _system(raw.uname.system)
    parts = _linux(raw) if raw.desktop is None else _desktop(raw, raw.desktop)
    memory, cpu, cgroup, unread = parts
    apple = cpu.model if system == "Darwin" and cpu.architecture == "arm64" else None
    gpus, no_gpus = parse_gpus(raw.nvml, raw.bus, apple)
    engine, no_engine = parse_engine(raw.engine, system, memory.total_bytes)
    disk, no_disk = _disk(raw)
    return HostFacts(
        system=system,
        release=raw.uname.release,
        wsl=is_wsl(raw.signs),
        virtualisation=virtualisation(raw.signs),
        memory=memory,
        cpu=cpu,
        cgroup=cgroup,
        disk=disk,
        gpus=gpus,
        engine=engine,
        unread=(*unread, *no_disk, *no_gpus, *no_engine),
    )


def _system(name: str) -> System:
    match name:
        case "Linux" | "Darwin" | "Windows":
            return name
    raise MlpackError(f"mlpack does not know the system {name!r}", hint="it reads Linux, macOS and Windows")


Parts = tuple[MemoryFacts, CpuFacts, CgroupFacts, tuple[Unread, ...]]


def _linux(raw: Raw) -> Parts:
    memory, no_memory = parse_meminfo(raw.meminfo, raw.shm.total_bytes if raw.shm else None, raw.read_ahead)
    cpu, no_cpu = parse_cpu(raw.cpuinfo, raw.siblings, raw.uname.machine, raw.affinity)
    cgroup, no_cgroup = parse_cgroup(raw.cgroup_version, raw.hierarchies, raw.cgroup_texts)
    no_shm = () if raw.shm else (Unread(name="memory.shm_bytes", reason="no /dev/shm"),)
    return memory, cpu, cgroup, (*no_memory, *no_shm, *no_cpu, *no_cgroup)


def _desktop(raw: Raw, said: Desktop) -> Parts:
    """macOS and Windows: no cgroups, and the vector extensions are not asked for."""
    memory = MemoryFacts(
        total_bytes=said.total_bytes,
        available_bytes=said.available_bytes,
        swap_total_bytes=said.swap_total_bytes,
        swap_free_bytes=said.swap_free_bytes,
    )
    cpu = CpuFacts(
        model=said.model,
        architecture=raw.uname.machine,
        physical_cores=said.physical_cores,
        logical_cores=said.logical_cores,
        affinity_cores=said.affinity_cores or said.logical_cores,
    )
    reason = f"not read on {raw.uname.system}: containers see their engine's processor"
    return memory, cpu, CgroupFacts(version="none"), (Unread(name="cpu.extensions", reason=reason),)


def _disk(raw: Raw) -> tuple[DiskFacts | None, tuple[Unread, ...]]:
    if raw.disk is None:
        return None, (Unread(name="disk", reason=raw.disk_problem or "not asked"),)
    mount = mount_of(PurePosixPath(raw.project), raw.mounts)
    filesystem = mount.filesystem if mount else None
    disk = DiskFacts(
        path=raw.project,
        total_bytes=raw.disk.total_bytes,
        free_bytes=raw.disk.free_bytes,
        filesystem=filesystem,
    )
    missing = Unread(name="disk.filesystem", reason="no mount holds the project's path in /proc/self/mountinfo")
    return disk, (missing,) if mount is None and raw.desktop is None else ()
