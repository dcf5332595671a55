"""safetensors: eight bytes of length, a JSON header, then raw tensors; or an index that names several such files."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from mlpack.formats.base import FormatFacts
from mlpack.formats.dtypes import SAFETENSORS_BITS, by_shapes, merged
from mlpack.formats.json_members import Members
from mlpack.formats.reading import HEADER_BYTES, described, exactly, failed, opened
from mlpack.formats.shards import read_index
from mlpack.model import DtypeShare, ModelFile, ModelInfo
from mlpack.units import show_bytes

FACTS = FormatFacts("safetensors", (".safetensors", ".safetensors.index.json"))
LENGTH_BYTES = 8
MOST_DIMENSIONS = 64
LARGEST = 2**63
PLACE_BITS = 64
MOST_TENSORS = 200_000
"""Tensors of one file; the largest checkpoints have 140,000 in all their files together."""
MOST_DTYPES = 100
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
        if size < LENGTH_BYTES:
            raise failed(path, f"is truncated: it has {size} bytes, not even a header's length", "fetch it again")
        prefix = exactly(file, LENGTH_BYTES, path)
        length = int.from_bytes(prefix, "little")
        if length > HEADER_BYTES:
            what = f"its header claims {show_bytes(length)}, more than the {show_bytes(HEADER_BYTES)} one may have"
            raise failed(path, what, "it is no safetensors file, or damaged")
        if LENGTH_BYTES + length > size:
            what = f"is truncated: its header claims {length:,} bytes, the file has {size:,}"
            raise failed(path, what, "fetch it again")
        end = LENGTH_BYTES + length
        members = Members(
            lambda count: exactly(file, min(count, end - file.tell()), path), path, "its header", before=prefix
        )
        sums = _Sums(path)
        for batch in members.batches():
            sums.add(batch)
        rest = members.rest
        while not rest.strip() and (rest := members.more()):
            pass
    if rest.strip():
        raise failed(path, "its header goes on after its end", "the file is damaged")
    sums.check_places(size - end)
    return Shard(described(path, size, members.hexdigest()), sums.shares(), sums.convolved)


class _Sums:
    """Parameters and bytes by dtype, and every tensor's place: two numbers in one, as 200,000 of them must be small."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.parameters: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        self.convolved = 0
        self._places: list[int] = []
        self._names: set[int] = set()
        self._last = (0, "")

    def add(self, members: dict[str, Any]) -> None:
        """Count some tensors."""
        for name, value in members.items():
            if name == "__metadata__":
                continue
            dtype, shape, start, end = _described(self.path, name, value)
            count = prod(shape)
            bits = SAFETENSORS_BITS.get(dtype)
            if end < start or (bits is not None and (end - start) * 8 != count * bits):
                raise failed(
                    self.path, f"tensor {name!r} of {count:,} {dtype} cannot lie at bytes {start:,} to {end:,}"
                )
            if hash(name) in self._names:
                raise failed(self.path, f"its header is not valid: {name!r} occurs twice", "the file is damaged")
            self._names.add(hash(name))
            self._last = max(self._last, (end, name))
            self._places.append(start << PLACE_BITS | end)
            if len(self._places) > MOST_TENSORS or len(self.parameters) > MOST_DTYPES:
                raise failed(self.path, f"describes more than {MOST_TENSORS:,} tensors", "the file is damaged")
            self.parameters[dtype] = self.parameters.get(dtype, 0) + count
            self.sizes[dtype] = self.sizes.get(dtype, 0) + end - start
            if len(shape) >= CONVOLUTION_DIMENSIONS:
                self.convolved += count

    def shares(self) -> tuple[DtypeShare, ...]:
        """The sums."""
        return tuple(
            DtypeShare(dtype=name, parameters=count, bytes=self.sizes[name]) for name, count in self.parameters.items()
        )

    def check_places(self, data_bytes: int) -> None:
        """The format allows no overlap, no gap, and nothing after the last tensor."""
        end, name = self._last
        if end > data_bytes:
            what = f"is truncated: tensor {name!r} ends at byte {end:,} of {data_bytes:,} bytes of data"
            raise failed(self.path, what, "fetch it again")
        position = 0
        for place in sorted(self._places):
            start, end = place >> PLACE_BITS, place & (1 << PLACE_BITS) - 1
            if start != position:
                kind = "overlaps another" if start < position else "leaves a gap before it"
                raise failed(self.path, f"the tensor at byte {start:,} {kind}", "the file is damaged")
            position = end
        if position != data_bytes:
            what = f"has {data_bytes - position:,} bytes after its last tensor"
            raise failed(self.path, what, "the file is damaged")


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


def _info(files: tuple[ModelFile, ...], shards: list[Shard]) -> ModelInfo:
    dtypes = merged(share for shard in shards for share in shard.shares)
    total = sum(share.parameters for share in dtypes)
    convolved = sum(shard.convolved for shard in shards)
    return ModelInfo(
        format=FACTS.name,
        files=files,
        dtypes=dtypes,
        mappable=True,
        architecture=by_shapes(dtypes, convolved),
        unknown=() if total else ("weights (the header names no tensors)",),
    )
