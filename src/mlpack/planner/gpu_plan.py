"""What the plan says of a service on cards: seats, the sum of one worker, variables, layers of a GGUF model."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.plan import CardRow, Decided, GpuPlan, ServicePlan, Source
from mlpack.planner.decide import text, whole
from mlpack.planner.gpu_cards import Card
from mlpack.planner.gpu_choice import Seated, Seating
from mlpack.units import show_mib

SPLIT_LAYERS_ALL = 999
"""More layers than any model has: all of them, and the output layer."""


def gpu_plan(seated: Seated, cards: tuple[Card, ...], workers: int) -> GpuPlan:
    """The cards of ``workers`` workers of one replica."""
    seats = seated.seats[:workers] if len(seated.seats) >= workers else (seated.seats[0],) * workers
    used = sorted(set(seats))
    need = seated.need
    source: Source = "measured" if need.measured else "estimated"
    return GpuPlan(
        cards=tuple(cards[index].plan for index in used),
        seats=tuple(used.index(index) for index in seats),
        need_bytes=whole(
            value=need.bytes, source=source, because=f"one worker at its peak on {seated.because}, x 1.05"
        ),
        lower_bytes=need.lower_bytes,
        terms=need.terms,
        access=seated.access,
        offload_layers=_layers(seated),
        environment=_environment(seated, cards[used[0]], workers=len(seats), spread=len(used) > 1),
        base=seated.base,
    )


def card_rows(seating: Seating, plans: Mapping[str, ServicePlan]) -> tuple[CardRow, ...]:
    """What all services together need of every card that is used."""
    used: dict[str, tuple[Card, int, list[str]]] = {}
    for name, plan in plans.items():
        if plan.gpu is None:
            continue
        for seat in plan.gpu.seats:
            key = plan.gpu.cards[seat].key
            card = next(one for one in seating.cards if one.plan.key == key)
            _, count, names = used.get(key, (card, 0, []))
            more = plan.gpu.need_bytes.value * plan.replicas.value
            used[key] = (card, count + more, [*names, *([] if name in names else [name])])
    return tuple(
        CardRow(card=key, name=card.plan.name, usable_bytes=card.room_bytes, used_bytes=count, services=tuple(names))
        for key, (card, count, names) in sorted(used.items())
    )


def _layers(seated: Seated) -> Decided[int] | None:
    """llama.cpp: all layers where there is room for all, else as many as fit."""
    if all(runtime.name != "llama_cpp" for runtime in seated.subject.runtimes):
        return None
    if seated.layers is not None:
        because = f"as many as fit into {show_mib(seated.need.bytes)} of the card; the rest computes on the processor"
        return whole(value=seated.layers, source="calculated", because=because)
    because = f"all of the model: it needs {show_mib(seated.need.bytes)}, which the card has"
    return whole(value=SPLIT_LAYERS_ALL, source="calculated", because=because)


def _environment(seated: Seated, card: Card, *, workers: int, spread: bool) -> dict[str, Decided[str]]:
    """Variables of CUDA and the frameworks; those that the user sets are left to the user."""
    names = {runtime.name for runtime in seated.subject.runtimes}
    found: dict[str, Decided[str]] = {}
    if names & {"torch", "transformers", "tensorflow", "onnxruntime"}:
        because = "kernels are loaded when they are first used: over 1 GB a process less (CUDA 11.7 and later)"
        found["CUDA_MODULE_LOADING"] = text(value="LAZY", source="default", because=because)
    if names & {"torch", "transformers"}:
        # 2.9 ignores the new name for CUDA, 2.11 reads it: both are set alike (docs/facts.md)
        because = "memory is mapped in pieces that grow, so that varying sizes leave fewer holes"
        for name in ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"):
            found[name] = text(value="expandable_segments:True", source="default", because=because)
    if "tensorflow" in names:
        because = "without it TensorFlow takes the whole card at start"
        found["TF_FORCE_GPU_ALLOW_GROWTH"] = text(value="true", source="default", because=because)
    if not spread and card.plan.uuid is not None and seated.subject.target == "systemd":
        because = f"{workers} workers on {card.plan.name}"
        found["CUDA_VISIBLE_DEVICES"] = text(value=card.plan.uuid, source="calculated", because=because)
    if "llama_cpp" in names and seated.subject.facts.name == "llama_server":
        layers = SPLIT_LAYERS_ALL if seated.layers is None else seated.layers
        because = "all layers on the card" if seated.layers is None else "as many layers as fit on the card"
        found["LLAMA_ARG_N_GPU_LAYERS"] = text(value=str(layers), source="calculated", because=because)
    return {name: value for name, value in sorted(found.items()) if name not in seated.subject.service.env}
