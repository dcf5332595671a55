"""What this machine runs inside, as far as it shows: WSL, a container, a virtual machine. Pure; nothing is guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

VENDORS = (  # start of a DMI field -> name, after systemd-detect-virt(1), src/basic/virt.c
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("KubeVirt", "kvm"),
    ("Amazon EC2", "amazon"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "virtualbox"),
    ("VirtualBox", "virtualbox"),
    ("Xen", "xen"),
    ("Bochs", "bochs"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Hyper-V", "hyper-v"),
    ("Microsoft Corporation", "hyper-v"),
    ("Apple Virtualization", "apple"),
    ("Google Compute Engine", "google"),
)

ALSO_BARE_METAL = frozenset({"amazon", "google", "hyper-v"})
"""These makers write the same on real machines (EC2 metal, Surface): they count beside the processor's flag only."""


class Signs(NamedTuple):
    """The traces that are read; a missing one is None or empty."""

    release: str = ""
    environ: Mapping[str, str] | None = None
    hypervisor_flag: bool = False
    dmi: tuple[str, ...] = ()
    """product_name, sys_vendor, board_vendor, bios_vendor, product_version of /sys/class/dmi/id."""
    hypervisor_type: str | None = None
    """/sys/hypervisor/type, or the device tree's hypervisor/compatible on ARM."""
    container_file: str | None = None
    """/run/systemd/container: the manager's name for the container."""
    dockerenv: bool = False
    containerenv: bool = False
    wsl_folder: bool = False
    root_on_device: bool = False
    """The root file system is a block device: no container's is, so a /.dockerenv there came with an image."""


def is_wsl(signs: Signs) -> bool:
    """Windows Subsystem for Linux: its kernels say microsoft; a custom kernel leaves the folder or the variable."""
    named = "WSL_DISTRO_NAME" in (signs.environ or {})
    return "microsoft" in signs.release.lower() or signs.wsl_folder or named


def virtualisation(signs: Signs) -> str | None:
    """Innermost first, ``docker on kvm``; None where nothing shows. ``vm`` is a machine whose maker does not show."""
    layers = [layer for layer in (_container(signs), "wsl" if is_wsl(signs) else _machine(signs)) if layer]
    return " on ".join(layers) or None


def _container(signs: Signs) -> str | None:
    if signs.root_on_device:
        return None
    if "KUBERNETES_SERVICE_HOST" in (signs.environ or {}):
        return "kubernetes"
    if signs.containerenv:
        return "podman"
    if signs.dockerenv:
        return "docker"
    return (signs.container_file or "").strip() or None


def _machine(signs: Signs) -> str | None:
    if kind := (signs.hypervisor_type or "").strip("\0\n "):
        return "kvm" if "kvm" in kind else kind
    names = [name for field in signs.dmi for start, name in VENDORS if field.strip().startswith(start)]
    if signs.hypervisor_flag:
        return names[0] if names else "vm"
    return next((name for name in names if name not in ALSO_BARE_METAL), None)
