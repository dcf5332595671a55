"""Whether one service can compute on this host's cards at all: software, dtype, room; the reason where it cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mlpack.errors import DoesNotFit, SpecError
from mlpack.footprint import Footprint
from mlpack.host import HostFacts
from mlpack.plan import ImageBase
from mlpack.planner.gpu_access import has_cdi
from mlpack.planner.gpu_base import image_base
from mlpack.planner.gpu_cards import Card, unusable
from mlpack.planner.gpu_dtype import computes, dtypes_of, refused
from mlpack.planner.gpu_need import CardNeed, card_need
from mlpack.planner.gpu_offload import offloaded
from mlpack.planner.gpu_refusal import refuse_card
from mlpack.planner.gpu_software import LLAMA_IMAGE_CUDA, Wheel, too_old, wheel_of
from mlpack.planner.subject import Subject
from mlpack.spec import Device, Spec
from mlpack.targets.images import build_of
from mlpack.units import ceil_mib

SPREADS = frozenset({"gunicorn", "uvicorn", "celery"})
"""Servers for which something rendered gives every worker a card of its own (``servers/cards.py``)."""
GPU_SERVERS = frozenset({"gunicorn", "uvicorn", "celery", "llama_server", "ollama"})
GPU_TARGETS = frozenset({"compose", "systemd"})


@dataclass(frozen=True)
class Bench:
    """What a service is held against."""

    host: HostFacts
    spec: Spec
    cards: tuple[Card, ...]
    on_cards: Mapping[str, Footprint]
    requirements: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Candidate:
    subject: Subject
    """With the footprint it has on a card."""
    need: CardNeed
    cards: frozenset[int]
    asked: Device
    layers: int | None = None
    """Layers of a GGUF model that fit; None: all, or it has no such thing."""
    base: ImageBase | None = None


def concurrency_of(subject: Subject) -> int:
    """Requests that one worker computes at once."""
    admission = subject.admission
    return subject.service.concurrency or (1 if admission.adjustable else admission.natural)


def candidate(bench: Bench, subject: Subject) -> Candidate:
    """``subject`` as it could be on a card. Raises DoesNotFit or SpecError with the reason why it cannot."""
    host, spec, cards = bench.host, bench.spec, bench.cards
    footprint, requirements = bench.on_cards.get(subject.name), bench.requirements.get(subject.name, ())
    where = f"services.{subject.name}.device" if subject.service.device else "device"
    if not cards:
        raise _no_card(host, subject.name, where)
    if subject.facts.name not in GPU_SERVERS:
        hint = "use `device: cpu`, or another server"
        raise SpecError(f"{subject.facts.name} on cards is not planned for yet", where=where, hint=hint)
    if subject.target not in GPU_TARGETS:
        raise SpecError(f"cards under {subject.target} are not planned for yet", where=where, hint="use `device: cpu`")
    if subject.service.preload:
        what = "CUDA does not survive a fork: models on a card cannot be loaded before it"
        raise SpecError(what, where=f"services.{subject.name}.preload", hint="leave preload out")
    if subject.footprint.source == "measured" and card_need(subject.footprint, 1) is not None:
        footprint = subject.footprint
    elif subject.footprint.source == "measured" and (subject.service.device or spec.device) == "auto":
        raise DoesNotFit("it was measured on a processor; `device: gpu` asks for the card", where=where)
    need = card_need(footprint, concurrency_of(subject)) if footprint else None
    if footprint is None or need is None:
        names = ", ".join(runtime.name for runtime in subject.runtimes) or "its runtime"
        hint = "use `device: cpu`, or measure it on a card: mlpack estimate --measure"
        raise DoesNotFit(f"nothing is known of {names} on a card", where=where, hint=hint)
    subject = replace(subject, footprint=footprint)
    _software(host, subject, requirements, cards, where)
    able = _able(spec, subject, requirements, cards)
    base = _base(spec, subject, requirements, cards, host)
    found = _fitting(subject, need, able, cards, subject.service.device or spec.device)
    return replace(found, base=base)


def _no_card(host: HostFacts, name: str, where: str) -> DoesNotFit:
    reasons = [reason for card in host.gpus.devices if (reason := unusable(card))]
    there = "; ".join(reasons) if reasons else "no card"
    hint = "use `device: cpu`, or `auto`"
    return DoesNotFit(f"{name} asks for a gpu, but this host has no NVIDIA card ({there})", where=where, hint=hint)


def _software(
    host: HostFacts, subject: Subject, requirements: Sequence[str], cards: tuple[Card, ...], where: str
) -> None:
    """The wheel has CUDA, the driver is new enough for it, and the engine can hand out cards."""
    wheel = wheel_of([runtime.name for runtime in subject.runtimes], requirements)
    if subject.facts.role == "llm":
        wheel = Wheel("llama.cpp's image", LLAMA_IMAGE_CUDA)
    if wheel is not None:
        least = min(card.capability for card in cards)
        problem = wheel.cpu_only or too_old(wheel.package, wheel.cuda, least, host.gpus)
        if problem:
            hint = "use `device: cpu` until then; docs/gpu.md has the builds for other drivers"
            raise DoesNotFit(f"{subject.name}: {problem}", where=where, hint=hint)
    engine = host.engine
    if subject.target == "compose" and engine is not None and not engine.gpu_runtime and not has_cdi(engine):
        raise DoesNotFit(
            f"{engine.name} cannot hand cards to containers: it knows neither the nvidia runtime nor CDI devices",
            where=where,
            hint="install nvidia-container-toolkit, run `nvidia-ctk runtime configure --runtime=docker` and restart it",
        )


def _base(
    spec: Spec, subject: Subject, requirements: Sequence[str], cards: tuple[Card, ...], host: HostFacts
) -> ImageBase | None:
    """What an image that mlpack renders is built on; None where it renders none."""
    service = subject.service
    build = build_of(spec, service)
    if subject.target != "compose" or service.image or build.dockerfile or subject.facts.image:
        return None
    wheel = wheel_of([runtime.name for runtime in subject.runtimes], requirements)
    newest = max(card.capability for card in cards)
    return image_base(subject.name, build, requirements, wheel=wheel, capability=newest, gpus=host.gpus)


def _able(spec: Spec, subject: Subject, requirements: Sequence[str], cards: tuple[Card, ...]) -> frozenset[int]:
    """Cards with arithmetic for the dtypes of all its models. Raises DoesNotFit with the alternative where none has."""
    models = {name: spec.models[name] for name in subject.service.models}
    infos = dict(zip(subject.service.models, subject.infos, strict=False)) if len(subject.infos) == len(models) else {}
    runtime = subject.runtimes[0].name if subject.runtimes else "torch"
    able = frozenset(range(len(cards)))
    for name, dtype in dtypes_of(models, infos, runtime, requirements).items():
        left = frozenset(index for index in able if computes(cards[index].capability, dtype))
        if not left:
            best = max((cards[index] for index in able), key=lambda card: card.capability)
            what, hint = refused(name, dtype, best.plan.name, best.capability)
            raise DoesNotFit(what, where=f"models.{name}.dtype", hint=hint)
        able = left
    return able


def _fitting(
    subject: Subject, need: CardNeed, able: frozenset[int], cards: tuple[Card, ...], asked: Device
) -> Candidate:
    """``subject`` on the cards that hold it. Raises DoesNotFit where not even what it surely needs fits one."""
    count = together(subject)
    rooms = {index: cards[index].room_bytes for index in able if cards[index].slots >= count}
    if any(need.bytes * count <= room for room in rooms.values()):
        return Candidate(subject, need, frozenset(rooms), asked)
    largest = max(rooms, key=lambda index: (rooms[index], -index), default=None)
    part = None
    if largest is not None and subject.facts.role == "llm":
        part = offloaded(subject, rooms[largest], concurrency_of(subject))
    if part is not None and largest is not None:
        less = card_need(part.footprint, concurrency_of(subject)) or need
        subject = replace(subject, footprint=part.footprint)
        return Candidate(subject, less, frozenset({largest}), asked, layers=part.layers)
    if largest is None:
        what = f"{subject.name} wants {count} programs on one card; the cards are in compute mode exclusive-process"
        hint = "workers: 1, or nvidia-smi --compute-mode=0"
        raise DoesNotFit(what, where=f"services.{subject.name}.workers", hint=hint)
    sure = any(ceil_mib(need.must_bytes) * count <= room for room in rooms.values())
    if not sure or asked == "auto":
        raise refuse_card(subject, need, count, [cards[index] for index in sorted(able)])
    return Candidate(subject, need, frozenset(rooms), asked)


def together(subject: Subject) -> int:
    """Workers that must share one card: copies of a container see the same cards, and only some servers spread."""
    replicas = subject.service.replicas or 1
    return replicas * (1 if spreads(subject) else subject.service.workers or 1)


def spreads(subject: Subject) -> bool:
    """Its workers are processes, and each may have a card of its own; Celery's threads and solo are one process."""
    return subject.facts.name in SPREADS and not subject.facts.one_process
