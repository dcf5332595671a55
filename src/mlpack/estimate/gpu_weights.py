"""Weights on a card: parameters times the dtype that they are loaded in, whatever the file stores."""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.model import ModelInfo
from mlpack.spec import LoadDtype, Model, RuntimeName

FLOATS: dict[str, LoadDtype] = {
    "F64": "fp32",
    "F32": "fp32",
    "F16": "fp16",
    "BF16": "bf16",
    "F8_E4M3": "fp8",
    "F8_E5M2": "fp8",
}
LOAD_BYTES: dict[str, float] = {"fp32": 4, "fp16": 2, "bf16": 2, "fp8": 1, "int8": 1, "int4": 0.5 + 4 / 64}
"""Bytes a parameter; int4 carries a 32-bit scale for every 64 (bitsandbytes' default block)."""
QUANTISED = frozenset({"int8", "int4", "fp8"})
"""Linear layers only: embeddings and the output layer stay in 16 bits (transformers' quantisers skip them)."""
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


def stored_dtype(info: ModelInfo) -> LoadDtype | None:
    """The dtype of most float parameters; None where none is a float that torch computes with."""
    floats = [share for share in info.dtypes if share.dtype in FLOATS]
    return FLOATS[max(floats, key=lambda share: share.parameters).dtype] if floats else None


def loaded_bytes(info: ModelInfo, dtype: LoadDtype) -> int:
    """Bytes once every float parameter is ``dtype``; integers stay as they are stored."""
    floats = sum(share.parameters for share in info.dtypes if share.dtype in FLOATS)
    others = sum(share.bytes for share in info.dtypes if share.dtype not in FLOATS)
    kept = min(floats, embedding_parameters(info)) if dtype in QUANTISED else 0
    return round((floats - kept) * LOAD_BYTES[dtype] + kept * 2 + others)


def embedding_parameters(info: ModelInfo) -> int:
    """Parameters of the vocabulary's embedding and the output layer; 0 where the header does not tell."""
    architecture = info.architecture
    if architecture is None or not architecture.vocabulary or not architecture.hidden_size:
        return 0
    tables = 2 if architecture.family != "encoder" else 1
    return tables * architecture.vocabulary * architecture.hidden_size
