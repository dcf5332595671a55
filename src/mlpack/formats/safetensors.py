"""safetensors: eight bytes of length, a JSON header, then raw tensors; or an index that names several such files."""

from __future__ import annotations

import hashlib
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from mlpack.formats.base import FormatFacts
from mlpack.formats.dtypes import SAFETENSORS_BITS, merged
from mlpack.formats.reading import HEADER_BYTES, described, exactly, failed, opened, parsed_json
from mlpack.formats.shards import read_index
from mlpack.model import Architecture, DtypeShare, ModelFile, ModelInfo
from mlpack.units import show_bytes

FACTS = FormatFacts("safetensors", (".safetensors", ".safetensors.index.json"))
LENGTH_BYTES = 8
MOST_DIMENSIONS = 64
LARGEST = 2**63
CONVOLUTION_DIMENSIONS = 4
"""Weights of a 2-d convolution: (out, in, height, width)."""


class Shard(NamedTuple):
    """One file: its description and sums over its tensors. Not the tensors: large models have 100,000 of them."""

    file: ModelFile
    shares: tuple[DtypeShare, ...]
    convolved: int
    """Parameters in tensors of four or more dimensions."""


def matches(path: Path, head: bytes) -> bool:
    """Eight bytes of a plausible length and then a JSON object; or an index by its name."""
    if path.name.endswith(".safetensors.index.json"):
        return True
    length = int.from_bytes(head[:LENGTH_BYTES], "little")
    return 1 < length <= HEADER_BYTES and head[LENGTH_BYTES : LENGTH_BYTES + 1] == b"{"


def read(path: Path) -> ModelInfo:
    """One file, or all that an index names."""
    if not path.name.endswith(".index.json"):
        shard = read_shard(path)
        return _info((shard.file,), [shard])
    index, found = read_index(path)
    shards = [read_shard(shard) for shard in found]
    return _info((index, *(shard.file for shard in shards)), shards)


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
    shares, convolved = _sums(path, header, size - LENGTH_BYTES - length)
    return Shard(described(path, size, hashlib.sha256(prefix + text).hexdigest()), shares, convolved)


def _sums(path: Path, header: dict[str, Any], data_bytes: int) -> tuple[tuple[DtypeShare, ...], int]:
    """Parameters and bytes by dtype, and parameters in convolutions, after every tensor's place was checked."""
    places: list[tuple[int, int, str]] = []
    parameters: dict[str, int] = {}
    sizes: dict[str, int] = {}
    convolved = 0
    for name, value in header.items():
        dtype, shape, start, end = _described(path, name, value)
        count = prod(shape)
        bits = SAFETENSORS_BITS.get(dtype)
        if end < start or (bits is not None and (end - start) * 8 != count * bits):
            raise failed(path, f"tensor {name!r} of {count:,} {dtype} cannot lie at bytes {start:,} to {end:,}")
        places.append((start, end, name))
        parameters[dtype] = parameters.get(dtype, 0) + count
        sizes[dtype] = sizes.get(dtype, 0) + end - start
        if len(shape) >= CONVOLUTION_DIMENSIONS:
            convolved += count
    _check_places(path, sorted(places), data_bytes)
    shares = tuple(DtypeShare(dtype=name, parameters=parameters[name], bytes=sizes[name]) for name in parameters)
    return shares, convolved


def _described(path: Path, name: str, value: Any) -> tuple[str, list[int], int, int]:
    """Dtype, shape, start and end of one entry of the header."""
    try:
        dtype, shape, (start, end) = value["dtype"], value["shape"], value["data_offsets"]
        sound = type(dtype) is str and type(shape) is list and len(shape) <= MOST_DIMENSIONS
        for number in (*shape, start, end):
            sound = sound and type(number) is int and 0 <= number < LARGEST
    except (TypeError, KeyError, ValueError):
        sound = False
    if not sound:
        raise failed(path, f"tensor {name!r} is described wrongly: dtype, shape and two data_offsets are needed")
    return dtype, shape, start, end


def _check_places(path: Path, places: list[tuple[int, int, str]], data_bytes: int) -> None:
    """``places`` (start, end, name) in order: the format allows no overlap, no gap, and nothing after the last."""
    position = 0
    for start, end, name in places:
        if end > data_bytes:
            what = f"is truncated: tensor {name!r} ends at byte {end:,} of {data_bytes:,} bytes of data"
            raise failed(path, what, "fetch it again")
        if start != position:
            kind = "overlaps another" if start < position else "leaves a gap before it"
            raise failed(path, f"tensor {name!r} {kind} at byte {start:,}", "the file is damaged")
        position = end
    if position != data_bytes:
        raise failed(path, f"has {data_bytes - position:,} bytes after its last tensor", "the file is damaged")


def _info(files: tuple[ModelFile, ...], shards: list[Shard]) -> ModelInfo:
    dtypes = merged(share for shard in shards for share in shard.shares)
    total = sum(share.parameters for share in dtypes)
    convolved = sum(shard.convolved for shard in shards)
    by_shapes = Architecture(family="convolutional", name="convolutional, by the shapes of its tensors")
    return ModelInfo(
        format=FACTS.name,
        files=files,
        dtypes=dtypes,
        mappable=True,
        architecture=by_shapes if total and 2 * convolved > total else None,
        unknown=() if total else ("weights (the header names no tensors)",),
    )
