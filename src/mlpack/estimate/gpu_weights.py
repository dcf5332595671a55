"""Weights on a card: parameters times the dtype that they are loaded in, whatever the file stores."""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.model import ModelInfo
from mlpack.runtimes.loading import LOAD_BYTES, loaded_bytes, stored_dtype
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
    by_config = runtime == "transformers" and (major is None or major >= MAPPING_MAJOR)
    if by_config and stored is not None and info.load_dtype is not None:
        wide = max(stored, info.load_dtype, key=lambda dtype: LOAD_BYTES[dtype])
        count, least = loaded_bytes(info, wide), min(loaded_bytes(info, one) for one in (stored, info.load_dtype))
        say = f"config.json of {name} says {info.load_dtype}, its weights are stored in {stored}: planned in {wide}"
        because = f"{info.parameters:,} parameters in {wide}, the wider of stored and stated"
        return Weights(count, least, wide, because, (f"{say}; if the app says another, say models.{name}.dtype",))
    if runtime == "llama_cpp" or stored is None or stored == "fp32":
        because = f"{info.parameters:,} parameters as stored"
        return Weights(info.weights_bytes, info.weights_bytes, None if runtime == "llama_cpp" else stored, because)
    if by_config:
        count = loaded_bytes(info, stored)
        return Weights(count, count, stored, f"{info.parameters:,} parameters in {stored}, as stored")
    because = f"{info.parameters:,} parameters, stored in {stored}, in the fp32 that a module is made in"
    say = f"{name} is stored in {stored} and planned in fp32: if the app loads it narrower, say models.{name}.dtype"
    return Weights(loaded_bytes(info, "fp32"), info.weights_bytes, "fp32", because, (say,))
