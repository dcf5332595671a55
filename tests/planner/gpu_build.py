"""Hosts with recorded cards, and plans of models on them, by the numbers that matter to a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.planner.build import engine, footprint, host, spec

from mlpack.estimate.gpu import on_card
from mlpack.estimate.service import keeps_windows
from mlpack.footprint import Footprint
from mlpack.host import EngineFacts, GpuFacts, GpuSetFacts, HostFacts
from mlpack.model import Architecture, DtypeShare, ModelFile, ModelInfo
from mlpack.plan import Plan
from mlpack.planner import make_plan
from mlpack.runtimes import RUNTIMES
from mlpack.spec import RuntimeName
from mlpack.units import GIB

LLAMA_8B = Architecture(
    family="decoder",
    name="LlamaForCausalLM",
    hidden_size=4096,
    intermediate_size=14336,
    layers=32,
    heads=32,
    kv_heads=8,
    head_dim=128,
    vocabulary=128256,
    context_tokens=131072,
)


def docker(*, runtime: bool = True, cdi: Sequence[str] = ()) -> EngineFacts:
    """An engine that hands out cards by the nvidia runtime, by CDI, or not at all."""
    return engine(256 * GIB, 64, virtual_machine=False).model_copy(
        update={"gpu_runtime": runtime, "cdi_devices": tuple(cdi)}
    )


def with_cards(gpus: GpuSetFacts, **engine_facts: Any) -> HostFacts:
    """A large machine with these cards."""
    return host(256 * GIB, 64).model_copy(update={"gpus": gpus, "engine": docker(**engine_facts)})


def card(total_gib: float, **more: Any) -> GpuFacts:
    """An Ampere card of that size."""
    values = {"compute_capability": (8, 6), "uuid": f"GPU-{total_gib:g}", **more}
    return GpuFacts(vendor="nvidia", name="NVIDIA Test", memory_total_bytes=round(total_gib * GIB), **values)


def model(parameters: float, dtype: str = "BF16", *, format_: str = "transformers") -> ModelInfo:
    """A decoder of so many parameters, shaped like Llama 3.1 8B."""
    sizes = {"F32": 4, "BF16": 2, "F16": 2, "F8_E4M3": 1, "Q4_0": 0.5625}
    count = round(parameters * sizes[dtype])
    return ModelInfo(
        format=format_,
        files=(ModelFile(path="weights/m", size_bytes=count, header_sha256="0"),),
        dtypes=(DtypeShare(dtype=dtype, parameters=round(parameters), bytes=count),),
        mappable=True,
        architecture=LLAMA_8B,
    )


def plan_on(
    on: HostFacts,
    services: dict[str, dict[str, Any]],
    *,
    info: ModelInfo | None = None,
    runtime: RuntimeName = "transformers",
    requirements: Sequence[str] = (),
    models: Mapping[str, Any] | None = None,
    measured: Mapping[str, Footprint] | None = None,
    **more: Any,
) -> Plan:
    """The plan of ``services``, all of which load model ``m``."""
    known = models or {"m": {"path": "weights/m", "max_input": {"tokens": 2048}}}
    whole = spec(services, models=known, **more) if models is None else spec(services, **{**more, "models": known})
    found = info or model(1e9)
    prints = {n: footprint(n).model_copy(update={"source": "estimated"}) for n, s in whole.services.items() if s.models}
    prints |= measured or {}
    cards = {}
    for name, one in prints.items():
        loaded = {key: (whole.models[key], found, runtime) for key in whole.services[name].models}
        made = on_card(one, loaded, requirements, windows=keeps_windows(whole.services[name].server))
        if made is not None:
            cards[name] = made
    return make_plan(
        on,
        whole,
        prints,
        profiles=("prod",),
        origins={},
        runtimes=dict.fromkeys(prints, (RUNTIMES[runtime].FACTS.name,)),
        requirements={name: tuple(requirements) for name in prints},
        infos=dict.fromkeys(whole.models, found),
        on_cards=cards,
    )
