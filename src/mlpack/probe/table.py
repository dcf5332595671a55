"""HostFacts as rows for people: what the machine has, and what a process here may really use of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from mlpack.host import CgroupFacts, CpuFacts, EngineFacts, GpuFacts, GpuSetFacts, HostFacts, MemoryFacts, MigFacts
from mlpack.units import show_bytes

Row = tuple[str, str, str]
"""Section, name, value."""


def rows(facts: HostFacts) -> list[Row]:
    """Rows of the readable table, what a process may use first, what could not be read last."""
    sections = (
        ("usable here", _usable(facts)),
        ("machine", _machine(facts)),
        ("memory", _memory(facts.memory)),
        ("processor", _cpu(facts.cpu)),
        ("cgroup", _cgroup(facts.cgroup)),
        ("disk", _disk(facts)),
        ("accelerators", _gpus(facts.gpus)),
        ("container engine", _engine(facts.engine)),
        ("not read", ((unread.name, unread.reason) for unread in facts.unread)),
    )
    return [(section, name, value) for section, pairs in sections for name, value in pairs]


Pairs = Iterator[tuple[str, str]]


def _usable(facts: HostFacts) -> Pairs:
    """The two numbers a plan starts from, each with what sets it."""
    cpu, cgroup = facts.cpu, facts.cgroup
    quota, limit = cgroup.cpu_quota_cores, cgroup.memory_limit_bytes
    if quota is not None and quota < cpu.affinity_cores:
        why = f"quota of cgroup {cgroup.cpu_quota_at}; os.cpu_count() says {cpu.logical_cores}"
    elif cpu.affinity_cores < cpu.logical_cores:
        why = f"affinity or cpuset; os.cpu_count() says {cpu.logical_cores}"
    else:
        why = "all cores; no quota"
    yield "cores", f"{facts.cores:g} ({why})"
    if limit is not None and limit < facts.memory.total_bytes:
        why = f"limit of cgroup {cgroup.memory_limit_at}; RAM is {show_bytes(facts.memory.total_bytes)}"
    else:
        why = "all RAM; no limit"
    yield "memory", f"{show_bytes(facts.memory_bytes)} ({why})"
    engine = facts.engine
    if engine and engine.virtual_machine:
        share = f"{engine.cores} cores, {show_bytes(engine.memory_bytes)}"
        yield "in containers", f"{share} (all that the engine has; it is not this host, but a virtual or other machine)"


def _machine(facts: HostFacts) -> Pairs:
    yield "system", f"{facts.system} {facts.release} ({facts.cpu.architecture})"
    yield "virtualisation", facts.virtualisation or "nothing shows"
    if facts.wsl:
        yield "WSL", "yes: Windows decides the memory (.wslconfig, then `wsl --shutdown`)"


def _memory(memory: MemoryFacts) -> Pairs:
    free = "" if memory.available_bytes is None else f", {show_bytes(memory.available_bytes)} available"
    yield "RAM", f"{show_bytes(memory.total_bytes)}{free}"
    if memory.swap_total_bytes:
        left = "" if memory.swap_free_bytes is None else f", {show_bytes(memory.swap_free_bytes)} free"
        yield "swap", f"{show_bytes(memory.swap_total_bytes)}{left}"
    else:
        yield "swap", "none"
    if memory.shm_bytes is not None:
        yield "/dev/shm", show_bytes(memory.shm_bytes)
    if memory.read_ahead_bytes is not None:
        yield "read-ahead", f"{show_bytes(memory.read_ahead_bytes)} around each page that is read from a disk"


def _cpu(cpu: CpuFacts) -> Pairs:
    yield "model", cpu.model or "not said"
    physical = "unknown" if cpu.physical_cores is None else str(cpu.physical_cores)
    yield "cores", f"{physical} physical, {cpu.logical_cores} logical, {cpu.affinity_cores} in this process's affinity"
    yield "vector extensions", " ".join(cpu.extensions) or "none known"


def _cgroup(cgroup: CgroupFacts) -> Pairs:
    yield "version", cgroup.version
    if cgroup.version == "none":
        return
    yield "path", cgroup.path or "unknown"
    memory = cgroup.memory_limit_bytes
    yield "memory limit", "none" if memory is None else f"{show_bytes(memory)}, set by {cgroup.memory_limit_at}"
    if cgroup.swap_limit_bytes is not None:
        yield "swap limit", show_bytes(cgroup.swap_limit_bytes)
    quota = cgroup.cpu_quota_cores
    yield "CPU quota", "none" if quota is None else f"{quota:g} cores, set by {cgroup.cpu_quota_at}"
    yield "process limit", "none" if cgroup.pids_limit is None else f"{cgroup.pids_limit:,}"


def _disk(facts: HostFacts) -> Pairs:
    if disk := facts.disk:
        kind = f" ({disk.filesystem})" if disk.filesystem else ""
        yield disk.path, f"{show_bytes(disk.free_bytes)} free of {show_bytes(disk.total_bytes)}{kind}"


def _gpus(gpus: GpuSetFacts) -> Pairs:
    if gpus.driver:
        yield "driver", f"{gpus.driver}, CUDA up to {gpus.cuda or 'unknown'}"
    for index, gpu in enumerate(gpus.devices):
        yield str(index), _gpu(gpu)
    if not gpus.devices:
        yield "GPU", "none"


def _gpu(gpu: GpuFacts) -> str:
    parts = [gpu.name]
    if gpu.memory_total_bytes is not None:
        free = "" if gpu.memory_free_bytes is None else f", {show_bytes(gpu.memory_free_bytes)} free"
        parts.append(show_bytes(gpu.memory_total_bytes) + free)
    if gpu.compute_capability:
        parts.append("compute capability {}.{}".format(*gpu.compute_capability))
    if gpu.mig:
        parts.append("split by MIG: " + (", ".join(map(_instance, gpu.instances)) or "no instance is made"))
    if gpu.processes:
        parts.append(f"{gpu.processes} processes on it")
    if gpu.mps_clients:
        parts.append(f"{gpu.mps_clients} of them through MPS")
    if gpu.compute_mode not in (None, "default"):
        parts.append(f"compute mode {gpu.compute_mode}")
    if gpu.nvlink:
        parts.append(f"NVLink to {', '.join(map(str, gpu.nvlink))}")
    if gpu.paths:
        parts.append(f"paths to all: {' '.join(gpu.paths)}")
    words = {"ECC": gpu.ecc, "persistence": gpu.persistence}
    parts += [f"{word} {'on' if on else 'off'}" for word, on in words.items() if on is not None]
    parts += [f"{word} {value}" for word, value in (("PCI", gpu.pci), ("named", gpu.uuid)) if value]
    if gpu.vendor != "nvidia":
        parts.append("recognised; mlpack plans for NVIDIA cards and CPUs")
    return "; ".join(parts)


def _instance(part: MigFacts) -> str:
    return f"{part.name} ({part.uuid})" if part.uuid else part.name


def _engine(engine: EngineFacts | None) -> Pairs:
    if engine is None:
        yield "engine", "none"
        return
    yield "engine", f"{engine.name} {engine.version} (API {engine.api_version})"
    yield "runs on", f"{engine.operating_system} ({engine.architecture or 'architecture unknown'})"
    machine = " of a virtual or other machine" if engine.virtual_machine else ""
    yield "has", f"{engine.cores} cores, {show_bytes(engine.memory_bytes)}{machine}"
    yield "cgroup version", engine.cgroup_version or "unknown"
    yield "compose, buildx", f"{engine.compose_version or 'unknown'}, {engine.buildx_version or 'unknown'}"
    yield "GPU runtime", "nvidia" if engine.gpu_runtime else "none"
    yield "CDI devices", ", ".join(engine.cdi_devices) or "none"
