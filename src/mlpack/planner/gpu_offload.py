"""A GGUF model that is larger than the card: as many layers as fit go there, the rest stays on the host."""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.footprint import Footprint, Region
from mlpack.planner.gpu_need import HEADROOM
from mlpack.planner.subject import Subject


@dataclass(frozen=True)
class Offload:
    """How many layers go to the card, and the footprint with the others on the host."""

    layers: int
    footprint: Footprint


def offloaded(subject: Subject, room_bytes: int, slots: int) -> Offload | None:
    """The most layers of ``subject``'s model that ``room_bytes`` hold; None where not one fits or nothing tells them.

    Weights and cache are taken as spread evenly over the layers and the output layer, as llama.cpp counts them
    (``--n-gpu-layers``: layers + 1 is all).
    """
    architecture = subject.infos[0].architecture if len(subject.infos) == 1 else None
    if architecture is None or architecture.layers is None:
        return None
    parts = architecture.layers + 1
    regions = subject.footprint.regions
    split = [region for region in regions if _is_split(region)]
    fixed = sum(_bytes(region, slots) for region in regions if region.kind == "gpu" and not _is_split(region))
    each = sum(_bytes(region, slots) for region in split) / parts
    layers = int((room_bytes / HEADROOM - fixed) // each) if each else 0
    if not 1 <= layers < parts:
        return None
    found = [one for region in regions for one in (_parted(region, layers, parts) if region in split else (region,))]
    return Offload(layers, subject.footprint.model_copy(update={"regions": tuple(found)}))


def _is_split(region: Region) -> bool:
    return region.kind == "gpu" and region.name.endswith((" weights", " KV cache"))


def _bytes(region: Region, slots: int) -> int:
    return region.bytes * (slots if region.per == "request" else 1)


def _parted(region: Region, layers: int, parts: int) -> tuple[Region, Region]:
    """What goes to the card and what stays: weights mapped from the file, the cache in private memory."""
    here = {"bytes": region.bytes * layers // parts, "lower_bytes": region.lower_bytes * layers // parts}
    stays = region.bytes - here["bytes"]
    because = f"{layers} of {parts} layers (the output layer counted): {region.because}"
    rest = {
        "name": f"{region.name} on the host",
        "kind": "mapped" if region.name.endswith(" weights") else "anonymous",
        "bytes": stays,
        "lower_bytes": region.lower_bytes - here["lower_bytes"],
    }
    return region.model_copy(update={**here, "because": because}), region.model_copy(update=rest)
