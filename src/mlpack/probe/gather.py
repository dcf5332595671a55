"""Reads a machine's files and calls; understands no more of them than it must to find the next one."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from mlpack.probe.cgroup import files_of
from mlpack.probe.cgroup_paths import hierarchies, version_of
from mlpack.probe.cpu import has_hypervisor_flag
from mlpack.probe.engine_reading import EngineAnswer
from mlpack.probe.json_fields import parse_object, text_field
from mlpack.probe.mounts import Mount, mount_of, parse_mountinfo
from mlpack.probe.outside import Outside, Space, Uname
from mlpack.probe.pci import PciDevice
from mlpack.probe.raw import Raw
from mlpack.probe.reading import names_in, read_text
from mlpack.probe.virtualisation import Signs

DMI_FIELDS = ("product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version")


def gather(project: Path, outside: Outside, engine: EngineAnswer) -> Raw:
    """All that can be read of this machine, with the engine's answer. Raises nothing."""
    uname = outside.uname()
    disk, disk_problem = _space(project, outside)
    nvml = outside.nvml()
    if uname.system != "Linux":
        signs = Signs(release=uname.release)
        desktop = outside.desktop()
        return Raw(uname, str(project), nvml, engine, signs, disk=disk, disk_problem=disk_problem, desktop=desktop)
    cpuinfo = read_text(outside.at("/proc/cpuinfo"))
    mounts = parse_mountinfo(read_text(outside.at("/proc/self/mountinfo")))
    ways = hierarchies(read_text(outside.at("/proc/self/cgroup")), mounts)
    files = ((file, read_text(outside.at(file))) for file in files_of(ways))
    return Raw(
        uname,
        str(project),
        nvml,
        engine,
        signs=_signs(uname, outside, cpuinfo, mounts),
        affinity=outside.affinity(),
        meminfo=read_text(outside.at("/proc/meminfo")),
        cpuinfo=cpuinfo,
        siblings=_siblings(outside, cpuinfo),
        mounts=mounts,
        cgroup_version=version_of(mounts),
        hierarchies=ways,
        cgroup_texts={file: text for file, text in files if text is not None},
        shm=_space(outside.at("/dev/shm"), outside)[0],
        read_ahead=_read_ahead(project, engine, outside, mounts),
        disk=disk,
        disk_problem=disk_problem,
        bus=_bus(outside),
    )


def _space(path: Path, outside: Outside) -> tuple[Space | None, str | None]:
    try:
        return outside.space(path), None
    except OSError as error:
        return None, f"{path}: {error.strerror or error}"


def _read_ahead(project: Path, engine: EngineAnswer, outside: Outside, mounts: tuple[Mount, ...]) -> str | None:
    """In KiB, the larger of the project's disk and the engine's, from which images are read; a partition has its
    disk's, one folder up."""
    images = text_field(parse_object(engine.info), "DockerRootDir")
    places = [project, Path(images)] if images and outside.at(images).is_dir() else [project]
    found = []
    for place in places:
        mount = mount_of(PurePosixPath(place), mounts)
        if mount is None or not re.fullmatch(r"\d+:\d+", mount.device):
            continue
        folder = outside.at(f"/sys/dev/block/{mount.device}")
        text = read_text(folder / "queue/read_ahead_kb") or read_text(folder / "../queue/read_ahead_kb")
        if re.fullmatch(r"\d{1,9}", (text or "").strip()):
            found.append((text or "").strip())
    return max(found, key=int, default=None)


def _siblings(outside: Outside, cpuinfo: str | None) -> tuple[str, ...]:
    """The topology below /sys, needed only where /proc/cpuinfo lacks it: one file per core adds up."""
    if cpuinfo and "\ncore id" in cpuinfo:
        return ()
    folder = outside.at("/sys/devices/system/cpu")
    cores = [name for name in names_in(folder) if name.startswith("cpu") and name[3:].isdecimal()]
    texts = (read_text(folder / name / "topology" / "thread_siblings_list") for name in cores)
    return tuple(text for text in texts if text)


def _bus(outside: Outside) -> tuple[PciDevice, ...]:
    """Display controllers and accelerators on the PCI bus; the class is read first, as most devices are neither."""
    folder = outside.at("/sys/bus/pci/devices")
    found = []
    for address in names_in(folder):
        device = folder / address
        kind = read_text(device / "class") or ""
        if kind.startswith(("0x03", "0x12")):
            found.append(
                PciDevice(
                    address=address,
                    vendor=read_text(device / "vendor") or "",
                    device_class=kind,
                    device=read_text(device / "device") or "",
                    product_name=read_text(device / "product_name"),
                    vram_total=read_text(device / "mem_info_vram_total"),
                )
            )
    return tuple(found)


def _signs(uname: Uname, outside: Outside, cpuinfo: str | None, mounts: tuple[Mount, ...]) -> Signs:
    dmi = (read_text(outside.at(f"/sys/class/dmi/id/{field}")) for field in DMI_FIELDS)
    tree = read_text(outside.at("/proc/device-tree/hypervisor/compatible"))
    root = mount_of(PurePosixPath("/"), mounts)
    return Signs(
        release=uname.release,
        environ=outside.environ,
        hypervisor_flag=has_hypervisor_flag(cpuinfo),
        dmi=tuple(text for text in dmi if text),
        hypervisor_type=read_text(outside.at("/sys/hypervisor/type")) or tree,
        container_file=read_text(outside.at("/run/systemd/container")),
        dockerenv=outside.at("/.dockerenv").exists(),
        containerenv=outside.at("/run/.containerenv").exists(),
        wsl_folder=outside.at("/run/WSL").exists(),
        root_on_device=root is not None and root.source.startswith("/dev/"),
    )
