"""safetensors: eight bytes of length, a JSON header, then raw tensors; or an index that names several such files."""

from __future__ import annotations

import hashlib
from math import prod
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from mlpack.formats.base import FormatFacts
from mlpack.formats.dtypes import SAFETENSORS_BITS, merged
from mlpack.formats.reading import HEADER_BYTES, described, exactly, failed, opened, parsed_json
from mlpack.formats.shards import read_index
from mlpack.model import Architecture, DtypeShare, ModelFile, ModelInfo
from mlpack.units import show_bytes

FACTS = FormatFacts("safetensors", (".safetensors", ".safetensors.index.json"))
LENGTH_BYTES = 8
MOST_DIMENSIONS = 64
CONVOLUTION_DIMENSIONS = 4
"""Weights of a 2-d convolution: (out, in, height, width)."""


class Tensor(NamedTuple):
    """One tensor of a header: element count, dtype, place in the data and number of dimensions."""

    name: str
    dtype: str
    parameters: int
    start: int
    end: int
    dimensions: int


class Shard(NamedTuple):
    """One file: its description, and its tensors."""

    file: ModelFile
    tensors: tuple[Tensor, ...]


def matches(path: Path, head: bytes) -> bool:
    """Eight bytes of a plausible length and then a JSON object; or an index by its name."""
    if path.name.endswith(".safetensors.index.json"):
        return True
    length = int.from_bytes(head[:LENGTH_BYTES], "little")
    return 1 < length <= HEADER_BYTES and head[LENGTH_BYTES : LENGTH_BYTES + 1] == b"{"


def read(path: Path) -> ModelInfo:
    """One file, or all that an index names."""
    if path.name.endswith(".index.json"):
        index, found = read_index(path)
        shards = [read_shard(shard) for shard in found]
        return _info((index, *(shard.file for shard in shards)), [t for shard in shards for t in shard.tensors])
    shard = read_shard(path)
    return _info((shard.file,), shard.tensors)


def read_shard(path: Path) -> Shard:
    """One file's header, checked against its size: no tensor outside the file, none over another, no gap."""
    with opened(path) as (file, size):
        prefix = exactly(file, LENGTH_BYTES, path)
        length = int.from_bytes(prefix, "little")
        if length > HEADER_BYTES:
            what = f"its header claims {show_bytes(length)}, more than the {show_bytes(HEADER_BYTES)} one may have"
            raise failed(path, what, "it is no safetensors file, or damaged")
        if LENGTH_BYTES + length > size:
            what = f"is truncated: its header claims {length:,} bytes, the file has {size:,}"
            raise failed(path, what, "fetch it again")
        text = exactly(file, length, path)
    header = parsed_json(text, path, "its header")
    header.pop("__metadata__", None)
    tensors = tuple(_tensor(path, name, value) for name, value in header.items())
    _check_places(path, tensors, size - LENGTH_BYTES - length)
    return Shard(described(path, size, hashlib.sha256(prefix + text).hexdigest()), tensors)


def _tensor(path: Path, name: str, value: Any) -> Tensor:
    """One entry of the header. Its size must be what shape and dtype give, where the dtype is known."""
    fields = value if isinstance(value, dict) else {}
    dtype, shape, place = fields.get("dtype"), fields.get("shape"), fields.get("data_offsets")
    if not isinstance(dtype, str) or not _whole(shape) or not _whole(place) or len(place) != 2:
        raise failed(path, f"tensor {name!r} is described wrongly: dtype, shape and two data_offsets are needed")
    start, end = place
    parameters = prod(shape)
    bits = SAFETENSORS_BITS.get(dtype)
    if end < start or (bits is not None and (end - start) * 8 != parameters * bits):
        raise failed(path, f"tensor {name!r} of {parameters:,} {dtype} cannot lie at bytes {start:,} to {end:,}")
    return Tensor(name, dtype, parameters, start, end, len(shape))


def _whole(value: object) -> TypeGuard[list[int]]:
    """A short list of whole numbers of at most 63 bits."""
    if not isinstance(value, list) or len(value) > MOST_DIMENSIONS:
        return False
    return all(type(item) is int and 0 <= item < 2**63 for item in value)


def _check_places(path: Path, tensors: tuple[Tensor, ...], data_bytes: int) -> None:
    """The format allows neither overlaps nor gaps nor bytes after the last tensor."""
    position = 0
    for tensor in sorted(tensors, key=lambda tensor: (tensor.start, tensor.end)):
        if tensor.end > data_bytes:
            what = f"is truncated: tensor {tensor.name!r} ends at byte {tensor.end:,} of {data_bytes:,} bytes of data"
            raise failed(path, what, "fetch it again")
        if tensor.start != position:
            kind = "overlaps another" if tensor.start < position else "leaves a gap before it"
            raise failed(path, f"tensor {tensor.name!r} {kind} at byte {tensor.start:,}", "the file is damaged")
        position = tensor.end
    if position != data_bytes:
        raise failed(path, f"has {data_bytes - position:,} bytes after its last tensor", "the file is damaged")


def _info(files: tuple[ModelFile, ...], tensors: list[Tensor] | tuple[Tensor, ...]) -> ModelInfo:
    shares = (DtypeShare(dtype=t.dtype, parameters=t.parameters, bytes=t.end - t.start) for t in tensors)
    total = sum(tensor.parameters for tensor in tensors)
    convolved = sum(tensor.parameters for tensor in tensors if tensor.dimensions >= CONVOLUTION_DIMENSIONS)
    by_shapes = Architecture(family="convolutional", name="convolutional, by the shapes of its tensors")
    return ModelInfo(
        format=FACTS.name,
        files=files,
        dtypes=merged(shares),
        mappable=True,
        architecture=by_shapes if total and 2 * convolved > total else None,
        unknown=() if total else ("weights (the header names no tensors)",),
    )
