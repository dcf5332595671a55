"""Raw: all that was read of a machine, unparsed. One value between the reading and the parsing half."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mlpack.probe.cgroup_paths import Hierarchy, Version
    from mlpack.probe.desktop import Desktop
    from mlpack.probe.engine_reading import EngineAnswer
    from mlpack.probe.mounts import Mount
    from mlpack.probe.nvml import NvmlAnswer
    from mlpack.probe.outside import Space, Uname
    from mlpack.probe.pci import PciDevice
    from mlpack.probe.virtualisation import Signs


class Raw(NamedTuple):
    """Texts and answers; a text that could not be read is None."""

    uname: Uname
    project: str
    nvml: NvmlAnswer
    engine: EngineAnswer
    signs: Signs
    affinity: int | None = None
    meminfo: str | None = None
    cpuinfo: str | None = None
    siblings: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    cgroup_version: Version = "none"
    hierarchies: tuple[Hierarchy, ...] = ()
    cgroup_texts: Mapping[str, str] = MappingProxyType({})
    shm: Space | None = None
    read_ahead: str | None = None
    """``queue/read_ahead_kb`` of the disk that holds the project, or the engine's images: the larger."""
    disk: Space | None = None
    disk_problem: str | None = None
    bus: tuple[PciDevice, ...] = ()
    desktop: Desktop | None = None
