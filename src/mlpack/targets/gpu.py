"""How a target hands cards to a service: compose's override file, and the device lines of a systemd unit. Pure.

The cards are in a file of their own, which deploy.sh uses only where a card is: compose fails on a host without one
that it was told to reserve (docs/facts.md).
"""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.plan import GpuPlan, Plan
from mlpack.servers.paths import deploy_folder
from mlpack.targets.base import RENDERED_BY, File
from mlpack.targets.images import ready_made

OVERRIDE = "compose.gpu.yaml"
CUDA_IMAGES = {"ghcr.io/ggml-org/llama.cpp:server": "ghcr.io/ggml-org/llama.cpp:server-cuda"}
"""Official images whose programs compute on cards only in another build of theirs."""
CAPABILITIES = ("gpu", "compute", "utility")
"""What the nvidia runtime mounts into the container: CUDA, and NVML for nvidia-smi (NVIDIA_DRIVER_CAPABILITIES; the
engine sets it, and NVIDIA_VISIBLE_DEVICES, from the reservation)."""
CDI_KIND = "nvidia.com/gpu"
MIG_NODES = "/dev/nvidia-caps"
ALWAYS = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")
"""Control, unified memory and its tools: every CUDA program opens them."""


def gpu_files(plan: Plan) -> tuple[File, ...]:
    """compose.gpu.yaml; none where no service under compose computes on a card."""
    services = [
        service_view(plan, name, one.gpu)
        for name, one in plan.services.items()
        if one.gpu is not None and one.target == "compose"
    ]
    if not services:
        return ()
    path = f"{deploy_folder(plan.profiles)}/{OVERRIDE}"
    view = {"header": RENDERED_BY, "services": services}
    return (File(path, "targets/compose/compose.gpu.yaml.j2", view),)


def service_view(plan: Plan, name: str, gpu: GpuPlan) -> Mapping[str, object]:
    """One service of compose.gpu.yaml."""
    official = ready_made(plan, name)
    cards = ", ".join(f"{card.name} {card.instance}" if card.instance else card.name for card in gpu.cards)
    return {
        "name": name,
        "cards": cards,
        "need_because": f"{gpu.need_bytes.value / 1024**2:,.0f} MiB a worker: {gpu.need_bytes.because}",
        "image": CUDA_IMAGES.get(official) if official is not None else None,
        "short": gpu.access.value == "gpus",
        "driver": "cdi" if gpu.access.value == "cdi" else "nvidia",
        "device_ids": device_ids(gpu),
        "capabilities": CAPABILITIES,
        "access_because": gpu.access.because,
        "environment": [
            {"pair": f"{key}={made.value}", "because": made.because} for key, made in gpu.environment.items()
        ],
    }


def device_ids(gpu: GpuPlan) -> tuple[str, ...]:
    """The cards by UUID (a number where the machine was not probed); for CDI as its qualified names."""
    keys = tuple(card.key for card in gpu.cards)
    return tuple(f"{CDI_KIND}={key}" for key in keys) if gpu.access.value == "cdi" else keys


def card_nodes(gpu: GpuPlan) -> tuple[str, ...]:
    """The device files through which a program reaches its cards; systemd skips a DeviceAllow= without its file."""
    nodes = [*ALWAYS, *(f"/dev/nvidia{card.index if card.minor is None else card.minor}" for card in gpu.cards)]
    return tuple(dict.fromkeys(nodes))


def looked_for(gpu: GpuPlan) -> tuple[str, ...]:
    """What has to be there when a unit starts: its device files, and of split cards the folder of the instances'."""
    return (*card_nodes(gpu), *((MIG_NODES,) if any(card.instance for card in gpu.cards) else ()))


def unit_device_lines(gpu: GpuPlan) -> tuple[tuple[str, str], ...]:
    """What a systemd unit says so that its program reaches the cards: ``PrivateDevices=yes`` would hide them.

    MIG instances are opened through files in /dev/nvidia-caps, by minor numbers that the driver hands out anew with
    every instance (/proc/driver/nvidia/capabilities/): the whole class of devices is allowed, for reading as they are.
    """
    lines = [("PrivateDevices", "no"), *(("DeviceAllow", f"{node} rw") for node in card_nodes(gpu))]
    if any(card.instance for card in gpu.cards):
        lines.append(("DeviceAllow", "char-nvidia-caps r"))
    return tuple(lines)
