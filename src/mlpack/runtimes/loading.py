"""How stored dtypes become loaded ones."""

from __future__ import annotations

from mlpack.model import ModelInfo
from mlpack.spec import LoadDtype

NARROW_DTYPES = frozenset({"F16", "BF16"})
"""Stored in 2 bytes; frameworks on a CPU often cast them to 4."""
WIDE_FACTOR = 2
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


def stored_narrow(info: ModelInfo) -> bool:
    """Some weights are 16-bit floats, which a loader may cast to 32 bits."""
    return any(share.dtype in NARROW_DTYPES for share in info.dtypes)


def float32_bytes(info: ModelInfo) -> int:
    """Bytes of the weights once every 16-bit float is cast to 32; the stored bytes of all others.

    Where the header tells no dtypes it is the file's size.
    """
    if not info.dtypes:
        return info.weights_bytes
    return sum(share.bytes * (WIDE_FACTOR if share.dtype in NARROW_DTYPES else 1) for share in info.dtypes)


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
