"""How stored dtypes become loaded ones."""

from __future__ import annotations

from mlpack.model import ModelInfo

NARROW_DTYPES = frozenset({"F16", "BF16"})
"""Stored in 2 bytes; frameworks on a CPU often cast them to 4."""
WIDE_FACTOR = 2


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
