"""Dtypes of stored tensors, and sums over them."""

from __future__ import annotations

from collections.abc import Iterable

from mlpack.model import Architecture, DtypeShare

SAFETENSORS_BITS = {  # safetensors 0.6, enum Dtype
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}


def merged(shares: Iterable[DtypeShare]) -> tuple[DtypeShare, ...]:
    """One share per dtype, the one with most bytes first."""
    sums: dict[str, tuple[int, int]] = {}
    for share in shares:
        parameters, count = sums.get(share.dtype, (0, 0))
        sums[share.dtype] = (parameters + share.parameters, count + share.bytes)
    found = (DtypeShare(dtype=name, parameters=p, bytes=b) for name, (p, b) in sums.items())
    return tuple(sorted(found, key=lambda share: (-share.bytes, share.dtype)))


def by_shapes(dtypes: Iterable[DtypeShare], convolved: int) -> Architecture | None:
    """A convolutional net, where most parameters are in tensors of four or more dimensions (``convolved``)."""
    if convolved and 2 * convolved > sum(share.parameters for share in dtypes):
        return Architecture(family="convolutional", name="convolutional, by the shapes of its tensors")
    return None
