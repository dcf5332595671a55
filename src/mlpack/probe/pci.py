"""Accelerators on the PCI bus, whoever made them: NVIDIA's without a driver, AMD's and Intel's. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

from mlpack.host import GpuFacts

Vendor = Literal["nvidia", "amd", "intel"]

VENDORS: dict[str, Vendor] = {"0x10de": "nvidia", "0x1002": "amd", "0x8086": "intel"}
DISPLAY_CLASSES = ("0x03", "0x12")
"""Display controllers and processing accelerators (PCI Code and ID Assignment, base classes)."""


class PciDevice(NamedTuple):
    """Texts of one folder below /sys/bus/pci/devices."""

    address: str
    vendor: str
    device_class: str
    device: str = ""
    product_name: str | None = None
    """Written by amdgpu for some cards."""
    vram_total: str | None = None
    """mem_info_vram_total, in bytes, written by amdgpu."""


def vendor_of(device: PciDevice) -> Vendor | None:
    """Who made this accelerator; None for anything else on the bus, and for makers that are not known here."""
    if not device.device_class.strip().startswith(DISPLAY_CLASSES):
        return None
    return VENDORS.get(device.vendor.strip())


def other_gpus(devices: tuple[PciDevice, ...]) -> tuple[GpuFacts, ...]:
    """The accelerators that are not NVIDIA's: recognised and reported, not planned for."""
    return tuple(
        GpuFacts(vendor=vendor, name=_name(device, vendor), memory_total_bytes=_bytes(device.vram_total))
        for device in devices
        if (vendor := vendor_of(device)) in ("amd", "intel")
    )


def _name(device: PciDevice, vendor: str) -> str:
    said = (device.product_name or "").strip()
    return said or f"{vendor.upper() if vendor == 'amd' else vendor.capitalize()} PCI device {device.device.strip()}"


def _bytes(text: str | None) -> int | None:
    stripped = (text or "").strip()
    return int(stripped) if stripped.isascii() and stripped.isdecimal() and len(stripped) < 19 else None
