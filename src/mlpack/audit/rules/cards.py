"""Graphics cards: wanted and not asked for, asked for and not there."""

from __future__ import annotations

from collections.abc import Iterator

from mlpack.audit.deployment import Deployment, Service
from mlpack.audit.finding import Hit, Rule
from mlpack.audit.place import Place

_GPU = {
    "deploy": {"resources": {"reservations": {"devices": [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]}}}
}


def _sign(one: Service) -> tuple[Place, str] | None:
    """What shows that the service means to use a card."""
    for name in ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"):
        said = one.environment.get(name)
        if said is not None and said.text not in ("", "-1", "none", "void"):
            return said.place, f"{name}={said.text}"
    base = one.dockerfile.base if one.dockerfile else one.image
    if base is not None and ("cuda" in base.text.lower() or base.text.endswith("-gpu")):
        return base.place, base.text
    return None


def missing(deployment: Deployment) -> Iterator[Hit]:
    """Made for a card, none asked for."""
    for one in deployment.services:
        sign = _sign(one)
        if sign is not None and one.gpu is None and not one.is_unit:
            yield Hit(
                sign[0],
                one.name,
                f"{sign[1]}, no card reserved",
                "deploy.resources.reservations.devices: driver nvidia, capabilities [gpu]",
                "without it the container sees no card and computes on the CPU, without a word",
            )
        elif one.program.kind == "ollama" and one.gpu is None and deployment.host is not None:
            devices = deployment.host.gpus.devices
            if any(card.vendor == "nvidia" for card in devices):
                yield Hit(
                    one.place,
                    one.name,
                    "no card reserved",
                    "deploy.resources.reservations.devices",
                    f"{deployment.host_name} has a card, and Ollama will not see it",
                    change=_GPU,
                )
            elif deployment.host.system == "Darwin" or any(card.vendor == "apple" for card in devices):
                yield Hit(
                    one.place,
                    one.name,
                    "Ollama in a container on a Mac",
                    "Ollama on the host, reached at host.docker.internal:11434",
                    "native Ollama uses Metal; in Docker it has only the CPU (ollama#3849)",
                )


def absent(deployment: Deployment) -> Iterator[Hit]:
    """Asked for, not there."""
    host = deployment.host
    for one in deployment.services:
        if one.gpu is not None and one.gpu_both:
            yield Hit(
                one.gpu, one.name, "count and device_ids", "one of them", "they exclude each other: the engine refuses"
            )
        if one.gpu is not None and host is not None and not any(card.vendor == "nvidia" for card in host.gpus.devices):
            yield Hit(
                one.gpu,
                one.name,
                "a card is reserved",
                "the reservation in a file of its own, for hosts with a card",
                f"{deployment.host_name} has none: the container does not start",
            )


def hidden(deployment: Deployment) -> Iterator[Hit]:
    """A card chosen by its number on the host, inside a container that has fewer."""
    for one in deployment.services:
        said = one.environment.get("CUDA_VISIBLE_DEVICES")
        if said is None or one.gpu is None or one.gpu_count is None or one.is_unit:
            continue
        numbers = [word.strip() for word in said.text.split(",")]
        if any(word.isdigit() and int(word) >= one.gpu_count for word in numbers):
            has = "one card, number 0" if one.gpu_count == 1 else f"{one.gpu_count} cards, from number 0"
            yield Hit(
                said.place,
                one.name,
                f"CUDA_VISIBLE_DEVICES={said.text}",
                f"no CUDA_VISIBLE_DEVICES, or {','.join(map(str, range(one.gpu_count)))}",
                f"the container has {has}, whatever their numbers on the host: CUDA sees none from the wrong number on",
            )


def unit_path(deployment: Deployment) -> Iterator[Hit]:
    """A unit whose PATH is replaced."""
    for one in deployment.services:
        path = one.environment.get("PATH") if one.is_unit else None
        if path is not None and not {"/usr/bin", "/bin"} & set(path.text.split(":")):
            yield Hit(
                path.place,
                one.name,
                f"PATH={path.text}",
                f"PATH={path.text.removesuffix(':$PATH')}:/usr/local/bin:/usr/bin:/bin",
                "systemd expands no $PATH: the unit finds no program of the system any more",
            )


def unit_conduct(deployment: Deployment) -> Iterator[Hit]:
    """A unit that stays dead, or runs as root."""
    for one in deployment.services:
        if not one.is_unit:
            continue
        place = one.unit[""].place
        if one.restart is None or one.restart.text == "no":
            yield Hit(
                place,
                one.name,
                "Restart= not set",
                "Restart=always and RestartSec=5s",
                "after a crash or a kill it stays dead",
            )
        if (one.user is None or one.user.text == "root") and "DynamicUser" not in one.unit:
            yield Hit(
                place, one.name, "no User=: root", "User= of its own", "a fault in a model's loader is root on the host"
            )


RULES = (
    Rule("gpu-missing", "warning", "No card reserved", "docs/facts.md, Docker, Ollama", missing),
    Rule("gpu-absent", "error", "A card reserved that is not there", "docs/facts.md, Docker", absent),
    Rule("gpu-hidden", "error", "A card's number of the host in a container", "docs/facts.md, Docker", hidden),
    Rule("unit-path", "warning", "PATH replaced", "systemd.exec(5), Environment=", unit_path),
    Rule("unit-conduct", "warning", "A unit that stays dead or runs as root", "systemd.service(5)", unit_conduct),
)
