"""TensorFlow's variables: an index that names every tensor's dtype, shape and place, and the files of their data."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

from mlpack.formats.dtypes import merged
from mlpack.formats.protobuf import Field, Walker
from mlpack.formats.reading import data_file, described, failed, is_there
from mlpack.formats.sstable import entries
from mlpack.formats.window import Window, window
from mlpack.model import DtypeShare, ModelFile

TYPES = {  # tensorflow/core/framework/types.proto -> dtype, bits per element
    1: ("F32", 32),
    2: ("F64", 64),
    3: ("I32", 32),
    4: ("U8", 8),
    5: ("I16", 16),
    6: ("I8", 8),
    8: ("C64", 64),
    9: ("I64", 64),
    10: ("BOOL", 8),
    11: ("I8", 8),
    12: ("U8", 8),
    13: ("I32", 32),
    14: ("BF16", 16),
    15: ("I16", 16),
    16: ("U16", 16),
    17: ("U16", 16),
    18: ("C128", 128),
    19: ("F16", 16),
    22: ("U32", 32),
    23: ("U64", 64),
    24: ("F8_E5M2", 8),
    25: ("F8_E4M3", 8),
    29: ("I4", 8),
    30: ("U4", 8),
}
STRING = 7
BESIDE = ("/.OPTIMIZER_SLOT/", "save_counter/", "keras_api/metrics/")
"""Parts of names that are no weights: an optimiser's slots, counters, metrics."""
OPTIMISERS = ("optimizer/", "_optimizer/", "optimizer_state/")
TRAINED = "optimizer/_trainable_variables/"
"""Where Keras 3 keeps a model's own weights once an optimiser is saved beside them."""
COPIES = "_all_variables/"
"""A second copy of all weights in what ``Model.export`` of Keras 3 writes."""
MOST_SHARDS = 10_000
MOST_DIMENSIONS = 64
LARGEST = 2**62
CONVOLUTION_DIMENSIONS = 4
SUMMED_AFTER = 1000
"""Shares are summed by dtype from time to time, so that a long index takes no memory."""


@dataclass
class Bundle:
    """Sums over the variables, those of an optimiser apart."""

    files: list[ModelFile] = field(default_factory=list)
    shares: list[DtypeShare] = field(default_factory=list)
    convolved: int = 0
    beside_bytes: int = 0
    strange: int = 0


@dataclass
class _Entry:
    kind: int = 0
    shape: list[int] = field(default_factory=list)
    shard: int = 0
    offset: int = 0
    size: int = 0
    sliced: bool = False


def read_bundle(index: Path) -> Bundle:
    """The variables that ``<prefix>.index`` names. Raises ModelFileError: damaged, absent or short data files."""
    with window(index) as whole:
        walker, found, digest = Walker(whole), Bundle(), hashlib.sha256()
        ends: dict[int, int] = {}
        shards = 1
        for key, value in entries(whole):
            part = Field(0, 2, 0, value.place, value.size)
            if key == b"":
                shards = next((inner.value for inner in walker.message(part) if inner.number == 1), 1)
                continue
            entry = _entry(walker, part)
            name = key.decode("utf-8", errors="replace")
            digest.update(f"{name} {entry.kind} {entry.shape}\n".encode())
            _count(whole, name, entry, found)
            if entry.shard >= MOST_SHARDS:
                raise failed(index, f"names a variable in file {entry.shard:,} of its data", "the file is damaged")
            if not entry.sliced:
                ends[entry.shard] = max(ends.get(entry.shard, 0), entry.offset + entry.size)
        found.files = [described(index, whole.size, digest.hexdigest()), *_data(index, shards, ends)]
    return found


def _entry(walker: Walker, part: Field) -> _Entry:
    """A BundleEntryProto."""
    entry = _Entry()
    for inner in walker.message(part):
        if inner.number == 1:
            entry.kind = inner.value
        elif inner.number == 2:
            entry.shape = shape_of(walker, inner)
        elif inner.number == 3:
            entry.shard = inner.value
        elif inner.number == 4:
            entry.offset = inner.value
        elif inner.number == 5:
            entry.size = inner.value
        elif inner.number == 7:
            entry.sliced = True
    return entry


def shape_of(walker: Walker, part: Field) -> list[int]:
    """A TensorShapeProto's sizes; -1 in the file is a dimension of any size and counts as none."""
    shape = []
    for dimension in walker.message(part):
        if dimension.number != 2:
            continue
        size = next((inner.value for inner in walker.message(dimension) if inner.number == 1), 0)
        shape.append(size)
        if len(shape) > MOST_DIMENSIONS:
            raise failed(walker.window.path, f"has a tensor of more than {MOST_DIMENSIONS} dimensions", "it is damaged")
    return shape


def _count(whole: Window, name: str, entry: _Entry, found: Bundle) -> None:
    """Add one entry to the sums; the parts of a sliced variable come as entries of their own."""
    if entry.sliced:
        return
    if entry.kind not in TYPES:
        found.strange += entry.kind != STRING
        return
    dtype, bits = TYPES[entry.kind]
    if any(size >= LARGEST for size in entry.shape) or entry.offset >= LARGEST or entry.size >= LARGEST:
        raise failed(whole.path, f"variable {name!r} of shape {entry.shape[:8]} cannot be", "the file is damaged")
    count = prod(entry.shape)
    sliced = name.startswith("\0")  # its shape is the whole variable's
    if sliced:
        count = entry.size * 8 // bits
    elif entry.size * 8 != count * bits:
        what = f"variable {name!r} of {count:,} {dtype} has {entry.size:,} bytes"
        raise failed(whole.path, what, "the file is damaged")
    beside = name.startswith((*OPTIMISERS, COPIES)) and not name.startswith(TRAINED)
    if beside or any(part in name for part in BESIDE):
        found.beside_bytes += entry.size
        return
    found.shares.append(DtypeShare(dtype=dtype, parameters=count, bytes=entry.size))
    if len(entry.shape) >= CONVOLUTION_DIMENSIONS:
        found.convolved += count
    if len(found.shares) > SUMMED_AFTER:
        found.shares = list(merged(found.shares))


def _data(index: Path, shards: int, ends: dict[int, int]) -> list[ModelFile]:
    """The data files, each as long as its variables need."""
    if not 0 < shards <= MOST_SHARDS or any(shard >= shards for shard in ends):
        raise failed(index, f"claims to have {shards:,} files of data", "the file is damaged")
    found = []
    for shard in range(shards):
        name = f"{index.name.removesuffix('.index')}.data-{shard:05d}-of-{shards:05d}"
        file = index.with_name(name)
        if not is_there(file):
            if ends.get(shard, 0) == 0:
                continue
            raise failed(index, f"names variables in {name}, which is not there", "fetch the missing file")
        if ends.get(shard, 0) == 0 and file.stat().st_size == 0:
            continue
        data = data_file(file)
        if data.size_bytes < ends.get(shard, 0):
            what = f"is truncated: its variables reach to byte {ends[shard]:,}, it has {data.size_bytes:,}"
            raise failed(file, what, "fetch it again")
        found.append(data)
    return found
