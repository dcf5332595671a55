"""Processor facts from /proc/cpuinfo and the topology below /sys: pure parsing."""

from __future__ import annotations

from collections.abc import Iterable

from mlpack.host import CpuFacts, Unread

_X86 = ("sse4_2", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni")
_X86_NARROW = ("avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16")
_ARM = ("asimd", "asimddp", "asimdhp", "i8mm", "bf16", "sve", "sve2")
EXTENSIONS = frozenset((*_X86, *_X86_NARROW, *_ARM))
"""The vector extensions that inference libraries dispatch on, by the kernel's names."""

ARM_PARTS = {  # implementer, part: lscpu's table (util-linux, lscpu-arm.c); arm64 kernels print no name
    ("0x41", "0xd03"): "Cortex-A53",
    ("0x41", "0xd07"): "Cortex-A57",
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd42"): "Cortex-A78AE",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x41", "0xd4f"): "Neoverse-V2",
    ("0xc0", "0xac3"): "Ampere-1",
}


def parse_cpu(
    cpuinfo: str | None, siblings: Iterable[str], architecture: str, affinity: int | None
) -> tuple[CpuFacts, tuple[Unread, ...]]:
    """Facts of the processor.

    ``siblings`` are the texts of /sys/devices/system/cpu/cpu*/topology/thread_siblings_list, one per logical core:
    cores that share a list share a physical core. ``affinity`` is the number of cores this process may run on.
    """
    blocks = [_fields(block) for block in (cpuinfo or "").split("\n\n")]
    cores = [block for block in blocks if block.get("processor", "").isdecimal()]
    shared = tuple(text.strip() for text in siblings if text.strip())
    unread = []
    logical = len(cores) or len(shared)
    if not logical:
        unread.append(Unread(name="cpu.logical_cores", reason="neither /proc/cpuinfo nor /sys names a core"))
        logical = affinity or 1
    elif affinity is None:
        unread.append(Unread(name="cpu.affinity_cores", reason="the system has no affinity call; all cores taken"))
    physical = _physical(cores) or len(set(shared)) or None
    if physical is None:
        unread.append(Unread(name="cpu.physical_cores", reason="no topology in /proc/cpuinfo or /sys"))
    model = _model(blocks)
    if model is None:
        unread.append(Unread(name="cpu.model", reason="/proc/cpuinfo does not name the processor"))
    facts = CpuFacts(
        model=model,
        architecture=architecture,
        physical_cores=physical,
        logical_cores=logical,
        affinity_cores=logical if affinity is None else affinity,
        extensions=_extensions(cores),
    )
    return facts, tuple(unread)


def has_hypervisor_flag(cpuinfo: str | None) -> bool:
    """Whether the processor says that it is a virtual one (x86 CPUID leaf 1, ECX bit 31)."""
    return any("hypervisor" in _fields(block).get("flags", "").split() for block in (cpuinfo or "").split("\n\n")[:1])


def _fields(block: str) -> dict[str, str]:
    """``name : value`` lines of one processor's block."""
    pairs = (line.partition(":") for line in block.splitlines())
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def _physical(cores: list[dict[str, str]]) -> int:
    """Distinct (socket, core) pairs; 0 when any core lacks them, as arm64's do."""
    pairs = [(core.get("physical id"), core.get("core id")) for core in cores]
    return 0 if any(None in pair for pair in pairs) else len(set(pairs))


def _model(blocks: list[dict[str, str]]) -> str | None:
    for block in blocks:
        if name := block.get("model name"):
            return name
    for block in blocks:
        part = (block.get("CPU implementer", ""), block.get("CPU part", ""))
        if any(part):
            return ARM_PARTS.get(part, f"ARM implementer {part[0]} part {part[1]}")
    return None


def _extensions(cores: list[dict[str, str]]) -> tuple[str, ...]:
    """Extensions that *every* core has: on hybrid chips a thread may land on any of them."""
    each = [set((core.get("flags") or core.get("Features", "")).split()) for core in cores]
    return tuple(sorted(EXTENSIONS.intersection(*each))) if each else ()
