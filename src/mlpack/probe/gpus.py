"""GpuSetFacts from what NVML and the PCI bus said: pure."""

from __future__ import annotations

from mlpack.host import GpuFacts, GpuSetFacts, Unread
from mlpack.probe.nvml import NvmlAnswer, NvmlDevice
from mlpack.probe.pci import PciDevice, other_gpus, vendor_of


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
    devices = tuple(_nvidia(device) for device in answer.devices) + other_gpus(bus)
    if apple:
        devices += (GpuFacts(vendor="apple", name=apple),)
    facts = GpuSetFacts(driver=answer.driver, cuda=_cuda(answer.cuda), devices=devices)
    return facts, tuple(unread)


def _nvidia(device: NvmlDevice) -> GpuFacts:
    return GpuFacts(
        vendor="nvidia",
        name=device.name or "NVIDIA GPU",
        uuid=device.uuid,
        memory_total_bytes=device.memory_total_bytes,
        memory_free_bytes=device.memory_free_bytes,
        compute_capability=device.capability,
        mig=bool(device.mig),
        processes=device.processes,
    )


def _cuda(version: int | None) -> str | None:
    """``12.8`` of NVML's 12080."""
    return f"{version // 1000}.{version % 1000 // 10}" if version else None
