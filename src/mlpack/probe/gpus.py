"""GpuSetFacts from what NVML and the PCI bus said: pure."""

from __future__ import annotations

from typing import Literal

from mlpack.host import GpuFacts, GpuSetFacts, MigFacts, Unread
from mlpack.probe.nvml import NvmlAnswer, NvmlDevice, NvmlSlice
from mlpack.probe.pci import PciDevice, other_gpus, vendor_of

COMPUTE_MODES: dict[int, Literal["default", "exclusive-process", "prohibited"]] = {
    0: "default",
    2: "prohibited",
    3: "exclusive-process",
}
"""nvml.h, nvmlComputeMode_t; 1 (exclusive thread) is gone since CUDA 8."""

PATHS = {0: "PIX", 10: "PIX", 20: "PXB", 30: "PHB", 40: "NODE", 50: "SYS"}
"""nvml.h, nvmlGpuTopologyLevel_t, in the words of `nvidia-smi topo --matrix`; 0 is two cards on one board."""


def parse_gpus(
    answer: NvmlAnswer, bus: tuple[PciDevice, ...], apple: str | None = None
) -> tuple[GpuSetFacts, tuple[Unread, ...]]:
    """All accelerators. ``apple`` is the name of an Apple chip, whose GPU is part of it."""
    unread = [Unread(name=name, reason=reason) for name, reason in answer.failures]
    silent = [device.address for device in bus if vendor_of(device) == "nvidia"] if not answer.devices else []
    if silent and not answer.library:
        where = ", ".join(silent)
        reason = f"an NVIDIA card is at {where}, but there is no NVML: no driver, or a container without its GPUs"
        unread.append(Unread(name="gpus", reason=reason))
    elif silent and not answer.failures:
        unread.append(Unread(name="gpus", reason=f"an NVIDIA card is at {', '.join(silent)}, but NVML lists none"))
    # NVML's numbers have gaps where a card is lost; places in ``devices`` have none
    positions = {device.number: place for place, device in enumerate(answer.devices) if device.number is not None}
    devices = tuple(_nvidia(device, positions) for device in answer.devices) + other_gpus(bus)
    if apple:
        devices += (GpuFacts(vendor="apple", name=apple),)
    facts = GpuSetFacts(driver=answer.driver, cuda=_cuda(answer.cuda), devices=devices)
    return facts, tuple(unread)


def _nvidia(device: NvmlDevice, positions: dict[int, int]) -> GpuFacts:
    return GpuFacts(
        vendor="nvidia",
        name=device.name or "NVIDIA GPU",
        uuid=device.uuid,
        memory_total_bytes=device.memory_total_bytes,
        memory_free_bytes=device.memory_free_bytes,
        compute_capability=device.capability,
        mig=bool(device.mig),
        processes=device.processes,
        minor=device.minor,
        ecc=device.ecc,
        persistence=device.persistence,
        compute_mode=None if device.compute_mode is None else COMPUTE_MODES.get(device.compute_mode),
        mps_clients=device.mps_clients,
        nvlink=tuple(positions[other] for other in device.nvlink if other in positions),
        pci=device.pci,
        paths=_paths(device, positions),
        instances=tuple(_slice(part) for part in device.slices),
    )


def _paths(device: NvmlDevice, positions: dict[int, int]) -> tuple[str, ...]:
    own = positions.get(device.number) if device.number is not None else None
    return tuple(
        "X" if place == own else PATHS.get(level, "?") if level is not None else "?"
        for place, level in enumerate(device.levels)
    )


def _slice(part: NvmlSlice) -> MigFacts:
    return MigFacts(
        name=_profile(part),
        uuid=part.uuid,
        memory_total_bytes=part.memory_total_bytes,
        memory_free_bytes=part.memory_free_bytes,
    )


def _profile(part: NvmlSlice) -> str:
    """``1g.10gb`` of "NVIDIA H100 80GB HBM3 MIG 1g.10gb"; else from its slices and memory."""
    if part.name and " MIG " in part.name:
        return part.name.rpartition(" MIG ")[2].strip()
    if part.slices and part.memory_total_bytes:
        return f"{part.slices}g.{round(part.memory_total_bytes / 1024**3)}gb"
    return "MIG instance"


def _cuda(version: int | None) -> str | None:
    """``12.8`` of NVML's 12080."""
    return f"{version // 1000}.{version % 1000 // 10}" if version else None
