"""HostFacts: what a machine is, as far as it can be read. What could not be read is listed with the reason."""

from __future__ import annotations

from typing import Literal

from mlpack.noun import Noun


class Unread(Noun):
    """A fact that could not be read; ``name`` is its dotted path in HostFacts."""

    name: str
    reason: str


class MemoryFacts(Noun):
    """RAM and swap in bytes, from /proc/meminfo or psutil; the container limit is in CgroupFacts."""

    total_bytes: int
    available_bytes: int | None = None
    """Free plus reclaimable, now; None in a lock, as it changes by the second."""
    swap_total_bytes: int
    swap_free_bytes: int | None = None
    shm_bytes: int | None = None
    """Size of /dev/shm."""
    read_ahead_bytes: int | None = None
    """What one page fault in a file reads around it: the read-ahead of the disk that holds the project, or of that with
    the engine's images where it is larger; usually 128 KiB. None where no single disk does, or it cannot be read."""


class CpuFacts(Noun):
    """Processor cores and vector extensions."""

    model: str | None
    architecture: str
    """As ``uname -m`` says: x86_64, aarch64, ..."""
    physical_cores: int | None
    logical_cores: int
    affinity_cores: int
    """Cores this process may be scheduled on (sched_getaffinity, cpuset included)."""
    extensions: tuple[str, ...] = ()
    """Of sse4_2 avx avx2 avx512f avx512_vnni avx512_bf16 amx_tile asimd sve ..., sorted."""


class CgroupFacts(Noun):
    """The tightest limits on the way from this process's cgroup to the root; None is "no limit"."""

    version: Literal["v1", "v2", "hybrid", "none"]
    path: str | None = None
    memory_limit_bytes: int | None = None
    memory_limit_at: str | None = None
    """The cgroup that sets the limit; a parent's limit binds its children."""
    swap_limit_bytes: int | None = None
    cpu_quota_cores: float | None = None
    cpu_quota_at: str | None = None
    pids_limit: int | None = None


class DiskFacts(Noun):
    """The file system that holds the project."""

    path: str
    total_bytes: int
    free_bytes: int
    """Bytes that an unprivileged user may still write."""
    filesystem: str | None = None


class MigFacts(Noun):
    """One MIG instance of a card: a slice with memory of its own, which counts as a card."""

    name: str
    """Its profile: ``1g.10gb``."""
    uuid: str | None = None
    memory_total_bytes: int | None = None
    memory_free_bytes: int | None = None


class GpuFacts(Noun):
    """One accelerator. NVIDIA cards are read through NVML; others are recognised and reported as not planned for."""

    vendor: Literal["nvidia", "amd", "intel", "apple"]
    name: str
    uuid: str | None = None
    memory_total_bytes: int | None = None
    memory_free_bytes: int | None = None
    compute_capability: tuple[int, int] | None = None
    mig: bool = False
    processes: int | None = None
    """Programs that compute on it now, whosever they are."""
    minor: int | None = None
    """N of /dev/nvidiaN, which need not be the index."""
    ecc: bool | None = None
    persistence: bool | None = None
    """The driver keeps the card initialised without a user; without it every first start takes seconds longer."""
    compute_mode: Literal["default", "exclusive-process", "prohibited"] | None = None
    """``exclusive-process``: one program at a time; ``prohibited``: none."""
    mps_clients: int | None = None
    """Programs that share it through CUDA's multi-process service; None where NVML does not tell."""
    nvlink: tuple[int, ...] = ()
    """Indices of the cards that it reaches over NVLink."""
    pci: str | None = None
    """Its place on the PCI bus, ``00000000:07:00.0``."""
    paths: tuple[str, ...] = ()
    """The way to every NVIDIA card over PCI, in their order, in nvidia-smi's words: X (itself), PIX and PXB (one switch
    or more), PHB (a host bridge), NODE (a NUMA node), SYS (between sockets), ? (not told). Empty for a lone card."""
    instances: tuple[MigFacts, ...] = ()


class GpuSetFacts(Noun):
    """All accelerators; an empty tuple is the answer "none", not an error."""

    driver: str | None = None
    cuda: str | None = None
    """Highest CUDA version that the driver supports, ``12.8``."""
    devices: tuple[GpuFacts, ...] = ()


class EngineFacts(Noun):
    """The container engine's own answer. On Docker Desktop memory and cores are those of its virtual machine."""

    name: str
    version: str
    api_version: str
    operating_system: str
    architecture: str | None = None
    """Of the engine's kernel, as ``uname -m`` says; a remote engine or a VM may differ from the host."""
    cgroup_version: Literal["v1", "v2"] | None
    memory_bytes: int
    cores: int
    compose_version: str | None = None
    buildx_version: str | None = None
    gpu_runtime: bool = False
    """The nvidia runtime is registered."""
    cdi_devices: tuple[str, ...] = ()
    virtual_machine: bool = False
    """Memory and cores belong to a VM (Docker Desktop, Colima, ...), not to the host."""


class HostFacts(Noun):
    """A whole machine; the input of a plan, and a file that another machine can plan from."""

    schema_version: Literal[1] = 1
    system: Literal["Linux", "Darwin", "Windows"]
    release: str
    wsl: bool = False
    virtualisation: str | None = None
    """kvm, docker, wsl, ... as far as it shows; None where nothing shows."""
    memory: MemoryFacts
    cpu: CpuFacts
    cgroup: CgroupFacts
    disk: DiskFacts | None = None
    gpus: GpuSetFacts = GpuSetFacts()
    engine: EngineFacts | None = None
    unread: tuple[Unread, ...] = ()

    @property
    def cores(self) -> float:
        """Cores a process here may really use: min(affinity, cgroup quota). os.cpu_count() knows neither."""
        quota = self.cgroup.cpu_quota_cores
        return min(float(self.cpu.affinity_cores), quota) if quota else float(self.cpu.affinity_cores)

    @property
    def memory_bytes(self) -> int:
        """Bytes a process here may really use: min(RAM, cgroup limit)."""
        limit = self.cgroup.memory_limit_bytes
        return min(self.memory.total_bytes, limit) if limit else self.memory.total_bytes
