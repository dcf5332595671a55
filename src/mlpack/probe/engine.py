"""EngineFacts from the engine's own ``/version`` and ``/info``: pure parsing.

https://docs.docker.com/reference/api/engine/ (SystemVersion, SystemInfo); Podman answers the same two.
"""

from __future__ import annotations

from typing import Any, Literal

from mlpack.host import EngineFacts, Unread
from mlpack.probe.engine_reading import EngineAnswer
from mlpack.probe.json_fields import parse_object, text_field

VM_SYSTEMS = ("Docker Desktop", "OrbStack")
VM_NAMES = ("docker-desktop", "colima", "orbstack", "lima-", "rancher-desktop", "podman-machine")
VM_KERNELS = ("linuxkit", "orbstack")
SAME_MACHINE = 0.02
"""Engine and host may disagree by this share of RAM and still be one machine (a kernel's own reserve)."""


def parse_engine(
    answer: EngineAnswer, system: str, host_memory_bytes: int
) -> tuple[EngineFacts | None, tuple[Unread, ...]]:
    """Facts in ``answer``; None, with the reason in the list, when none answered or in another form."""
    if answer.problem:
        return None, (Unread(name="engine", reason=answer.problem),)
    version, info = parse_object(answer.version), parse_object(answer.info)
    number = text_field(version, "Version") or text_field(info, "ServerVersion")
    api = text_field(version, "ApiVersion")
    memory, cores = _count(info.get("MemTotal")), _count(info.get("NCPU"))
    named = {"Version": number, "ApiVersion": api, "MemTotal": memory, "NCPU": cores}
    missing = [name for name, value in named.items() if value is None]
    if number is None or api is None or memory is None or cores is None:
        reason = f"the engine's answer has no {', '.join(missing)}: another program, or an engine without rights"
        return None, (Unread(name="engine", reason=reason),)
    runtimes = info.get("Runtimes")
    elsewhere = _elsewhere(info, memory, system, host_memory_bytes)
    facts = EngineFacts(
        name=_name(version),
        version=number,
        api_version=api,
        operating_system=text_field(info, "OperatingSystem") or "unknown",
        architecture=text_field(info, "Architecture"),
        cgroup_version=_cgroup(info.get("CgroupVersion")),
        memory_bytes=memory,
        cores=cores,
        compose_version=answer.compose_version,
        buildx_version=answer.buildx_version,
        gpu_runtime=isinstance(runtimes, dict) and "nvidia" in runtimes,
        cdi_devices=_cdi(info, () if elsewhere else answer.cdi_devices),
        virtual_machine=elsewhere,
    )
    unread = []
    if facts.cgroup_version is None:
        unread.append(Unread(name="engine.cgroup_version", reason="the engine does not say its cgroup version"))
    for name in ("compose_version", "buildx_version"):
        if getattr(facts, name) is None:
            plugin = f"docker-{name.removesuffix('_version')}"
            asked = f"no {plugin} answers in Docker's plugin folders"
            reason = asked if answer.plugins_asked else "not asked, as no plan depends on it; `mlpack probe` shows it"
            unread.append(Unread(name=f"engine.{name}", reason=reason))
    return facts, tuple(unread)


def _name(version: dict[str, Any]) -> str:
    """Its platform's name; distributions leave that empty, Podman says it as a component."""
    if name := text_field(version, "Platform", "Name"):
        return name if "podman" not in _component(version).lower() else _component(version)
    component = _component(version)
    return component if component not in ("", "Engine") else "Docker Engine"


def _component(version: dict[str, Any]) -> str:
    components = version.get("Components")
    return (text_field(components[0], "Name") or "") if isinstance(components, list) and components else ""


def _count(value: Any) -> int | None:
    """A positive whole number; Docker says 0 for what it could not read."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 63 else None


def _cgroup(value: Any) -> Literal["v1", "v2"] | None:
    return "v1" if value == "1" else "v2" if value == "2" else None


def _cdi(info: dict[str, Any], from_files: tuple[str, ...]) -> tuple[str, ...]:
    """What the engine discovered itself (engine 28.2 and later), else what this machine's specification files name."""
    discovered = info.get("DiscoveredDevices")
    if not isinstance(discovered, list):
        return tuple(sorted(from_files))
    names = (text_field(device, "ID") for device in discovered if text_field(device, "Source") == "cdi")
    return tuple(sorted(name for name in names if name))


def _elsewhere(info: dict[str, Any], memory_bytes: int, system: str, host_memory_bytes: int) -> bool:
    """Whether memory and cores are a VM's (or another machine's): by the engine's names, else by its memory."""
    name = (text_field(info, "Name") or "").lower()
    kernel = (text_field(info, "KernelVersion") or "").lower()
    return (
        system != "Linux"
        or (text_field(info, "OperatingSystem") or "").startswith(VM_SYSTEMS)
        or name.startswith(VM_NAMES)
        or any(part in kernel for part in VM_KERNELS)
        or abs(memory_bytes - host_memory_bytes) > SAME_MACHINE * host_memory_bytes
    )
