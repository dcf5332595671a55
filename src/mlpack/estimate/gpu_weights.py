"""Weights on a card: parameters times the dtype that they are loaded in, whatever the file stores."""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.model import ModelInfo
from mlpack.runtimes.loading import loaded_bytes, stored_dtype
from mlpack.spec import LoadDtype, Model, RuntimeName

MAPPING_MAJOR = 5
"""transformers 5 loads in the dtype that config.json states, 4 in fp32 unless the app says it (docs/facts.md)."""


@dataclass(frozen=True)
class Weights:
    """Bytes on the card, what they surely are, the dtype they are computed in, and why."""

    bytes: int
    lower_bytes: int
    dtype: LoadDtype | None
    because: str
    widened: tuple[str, ...] = ()


def weights_on_card(name: str, model: Model, info: ModelInfo, runtime: RuntimeName, major: int | None) -> Weights:
    """Model ``name`` as ``runtime`` loads it; ``major``: the pinned major version of transformers, None for none.

    Where nothing says the dtype, torch is planned with fp32: a module is made in it unless the app says otherwise.
    """
    if not info.dtypes:
        because = "the header tells no dtypes: the files' size"
        return Weights(info.size_bytes, 0, model.dtype, because, (f"the dtype of {name} is not known",))
    stored = stored_dtype(info)
    if model.dtype is not None:
        count = loaded_bytes(info, model.dtype)
        return Weights(
            count, count, model.dtype, f"{info.parameters:,} parameters in {model.dtype} (models.{name}.dtype)"
        )
    if runtime == "llama_cpp" or stored is None or stored == "fp32":
        because = f"{info.parameters:,} parameters as stored"
        return Weights(info.weights_bytes, info.weights_bytes, None if runtime == "llama_cpp" else stored, because)
    if runtime == "transformers" and (major is None or major >= MAPPING_MAJOR):
        count = loaded_bytes(info, stored)
        return Weights(count, count, stored, f"{info.parameters:,} parameters in {stored}, as stored")
    wide = loaded_bytes(info, "fp32")
    because = f"{info.parameters:,} parameters, stored in {stored}, in the fp32 that a module is made in"
    say = f"{name} is stored in {stored} and planned in fp32: if the app loads it narrower, say models.{name}.dtype"
    return Weights(wide, info.weights_bytes, "fp32", because, (say,))
