"""Which dtypes a card computes, and what to load in instead where it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlpack.estimate.gpu_weights import weights_on_card
from mlpack.model import ModelInfo
from mlpack.runtimes.libraries import major_version
from mlpack.spec import LoadDtype, Model, RuntimeName

LEAST_CAPABILITY: dict[LoadDtype, tuple[int, int]] = {"fp8": (8, 9), "bf16": (8, 0), "int8": (7, 5), "int4": (7, 5)}
"""bf16 arithmetic from Ampere, fp8 from Ada (CUDA C++ Programming Guide, arithmetic of each capability; torch emulates
bf16 before, slowly); int8 and int4 as bitsandbytes has them, from Turing."""
FAMILIES = {(8, 9): "Ada", (8, 0): "Ampere", (7, 5): "Turing"}
INSTEAD: dict[LoadDtype, tuple[LoadDtype, ...]] = {
    "fp8": ("int8", "bf16", "fp16"),
    "bf16": ("fp16", "fp32"),
    "int8": ("fp16",),
    "int4": ("fp16",),
}


def dtypes_of(
    models: Mapping[str, Model], infos: Mapping[str, ModelInfo], runtime: RuntimeName, requirements: Sequence[str]
) -> dict[str, LoadDtype]:
    """Model -> the dtype that it is loaded in, where that is known."""
    major = major_version(requirements, "transformers")
    found: dict[str, LoadDtype] = {}
    for name, model in models.items():
        info = infos.get(name)
        dtype = model.dtype if info is None else weights_on_card(name, model, info, runtime, major).dtype
        if dtype is not None:
            found[name] = dtype
    return found


def computes(capability: tuple[int, int], dtype: LoadDtype) -> bool:
    """Whether cards of ``capability`` have arithmetic for ``dtype``."""
    return capability >= LEAST_CAPABILITY.get(dtype, (0, 0))


def refused(name: str, dtype: LoadDtype, card: str, capability: tuple[int, int]) -> tuple[str, str]:
    """What is wrong, and what to load in instead on that card."""
    least = LEAST_CAPABILITY[dtype]
    what = (
        f"{name} is loaded in {dtype}, which {card} does not compute: that begins with {FAMILIES[least]} "
        f"(capability {least[0]}.{least[1]}), it has {capability[0]}.{capability[1]}"
    )
    other = next((one for one in INSTEAD[dtype] if computes(capability, one)), "fp32")
    return what, f"load it in {other} and say so: models.{name}.dtype: {other}"
