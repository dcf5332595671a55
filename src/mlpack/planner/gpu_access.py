"""How containers get the cards: a device reservation as every Compose knows it, Compose's `gpus:`, or CDI."""

from __future__ import annotations

import re

from mlpack.errors import SpecError
from mlpack.host import EngineFacts, HostFacts
from mlpack.plan import Decided
from mlpack.planner.decide import text
from mlpack.spec import Spec

GPUS_SINCE = (2, 30, 0)
"""The first Compose with `gpus:` (compose-spec, 05-services.md)."""
CDI_SINCE = (25, 0, 0)
"""The first engine with CDI, as an experiment; it is on by itself since 28.2 (its release notes)."""
KIND = "nvidia.com/gpu="
WHERE = "settings.gpu_access"


def access(host: HostFacts, spec: Spec) -> Decided[str]:
    """``reservation``, ``gpus`` or ``cdi``. Raises SpecError where the user's choice is not what this machine knows."""
    engine, asked = host.engine, spec.settings.gpu_access
    if asked == "gpus":
        _new_enough(f"Compose {engine.compose_version}" if engine else "", GPUS_SINCE, "`gpus:`")
    if asked == "cdi" and engine is not None:
        _new_enough(f"{engine.name} {engine.version}", CDI_SINCE, "CDI")
        if not has_cdi(engine):
            hint = "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml, and features.cdi in daemon.json before 28.2"
            raise SpecError(f"{engine.name} knows no CDI device {KIND}...", where=WHERE, hint=hint)
    if asked is not None:
        return text(value=asked, source="user", because=f"{WHERE} in the spec")
    if engine is not None and not engine.gpu_runtime and has_cdi(engine):
        return text(value="cdi", source="probed", because="the engine knows CDI devices and no nvidia runtime")
    if engine is not None and engine.gpu_runtime:
        return text(value="reservation", source="probed", because="the engine has the nvidia runtime")
    return text(value="reservation", source="default", because="nothing is known of the engine: every Compose knows it")


def has_cdi(engine: EngineFacts) -> bool:
    """The engine knows NVIDIA's cards by CDI names."""
    return any(name.startswith(KIND) for name in engine.cdi_devices)


def _new_enough(program: str, least: tuple[int, int, int], what: str) -> None:
    """Raises SpecError where ``program``'s version, if one is told, is below ``least``."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", program)
    if found and tuple(int(part or 0) for part in found.groups()) < least:
        wanted = ".".join(map(str, least))
        hint = f"leave it out: every Compose knows the device reservation; or {wanted} and newer"
        raise SpecError(f"{program} does not know {what}, which came with {wanted}", where=WHERE, hint=hint)
