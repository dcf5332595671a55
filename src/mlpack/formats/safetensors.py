"""safetensors: eight bytes of length, a JSON header, then raw tensors; or an index that names several such files."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from mlpack.errors import ModelFileError
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
KEYS = (b'"dtype"', b'"shape"', b'"data_offsets"')
MOST_TENSORS = 200_000
"""Tensors of one file; the largest checkpoints have 140,000 in all their files together."""
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
            lambda count: exactly(file, min(count, end - file.tell()), path),
            path,
            "its header",
            before=prefix,
            once=KEYS,
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


class _Kind:
    """All tensors of one dtype and shape: ``size`` bytes each, None where the dtype is newer than mlpack."""

    def __init__(self, dtype: str, shape: list[int]) -> None:
        self.dtype, self.dimensions = dtype, len(shape)
        self.parameters = prod(shape)
        bits = SAFETENSORS_BITS.get(dtype)
        self.size = None if bits is None else self.parameters * bits / 8
        self.tensors = self.bytes = 0


class _Sums:
    """Parameters and bytes by dtype and shape, and the places of all tensors, as runs without a gap."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kinds: dict[tuple[object, ...], _Kind] = {}
        self._names: set[int] = set()
        self._runs: list[int] = []
        self._run = (0, 0)
        self._last, self._last_name = 0, ""

    def add(self, members: dict[str, Any]) -> None:
        """Count some tensors."""
        members.pop("__metadata__", None)
        self._add_names(members)
        begin, position = self._run
        for name, value in members.items():
            try:
                key = (value["dtype"], *value["shape"])
                start, end = value["data_offsets"]
                kind = self._kinds.get(key)
            except (TypeError, KeyError, ValueError) as error:
                raise _wrong(self.path, name) from error
            if type(start) is not int or type(end) is not int or start < 0:
                raise _wrong(self.path, name)
            if kind is None:
                kind = self._kinds.setdefault(key, self._kind(name, value["dtype"], value["shape"]))
            size = end - start
            if size < 0 or (size != kind.size and kind.size is not None):
                what = f"tensor {name!r} of {kind.parameters:,} {kind.dtype} cannot lie at bytes {start:,} to {end:,}"
                raise failed(self.path, what)
            kind.tensors += 1
            kind.bytes += size
            if end > self._last:
                self._last, self._last_name = end, name
            if start != position:
                self._runs.append(begin << PLACE_BITS | position)
                begin = start
            position = end
        self._run = begin, position

    def _add_names(self, members: dict[str, Any]) -> None:
        hashes = {hash(name): name for name in members}
        again = self._names.intersection(hashes)
        if again:
            raise failed(self.path, f"its header is not valid: {hashes[again.pop()]!r} occurs twice", "it is damaged")
        self._names.update(hashes)
        if len(self._names) > MOST_TENSORS:
            raise failed(self.path, f"describes more than {MOST_TENSORS:,} tensors", "the file is damaged")

    def _kind(self, name: str, dtype: object, shape: list[Any]) -> _Kind:
        sound = type(dtype) is str and type(shape) is list and len(shape) <= MOST_DIMENSIONS
        if not sound or not all(type(number) is int and 0 <= number < LARGEST for number in shape):
            raise _wrong(self.path, name)
        return _Kind(str(dtype), shape)

    def shares(self) -> tuple[DtypeShare, ...]:
        """The sums by dtype."""
        return merged(
            DtypeShare(dtype=kind.dtype, parameters=kind.parameters * kind.tensors, bytes=kind.bytes)
            for kind in self._kinds.values()
        )

    @property
    def convolved(self) -> int:
        """Parameters in tensors of four or more dimensions."""
        found = (kind for kind in self._kinds.values() if kind.dimensions >= CONVOLUTION_DIMENSIONS)
        return sum(kind.parameters * kind.tensors for kind in found)

    def check_places(self, data_bytes: int) -> None:
        """The format allows no overlap, no gap, and nothing after the last tensor."""
        if self._last > data_bytes:
            what = f"tensor {self._last_name!r} ends at byte {self._last:,} of {data_bytes:,} bytes of data"
            raise failed(self.path, f"is truncated: {what}", "fetch it again")
        position = 0
        for run in sorted([*self._runs, self._run[0] << PLACE_BITS | self._run[1]]):
            start, end = run >> PLACE_BITS, run & (1 << PLACE_BITS) - 1
            if start != position:
                kind = "overlaps another" if start < position else "leaves a gap before it"
                raise failed(self.path, f"the tensor at byte {start:,} {kind}", "the file is damaged")
            position = end
        if position != data_bytes:
            what = f"has {data_bytes - position:,} bytes after its last tensor"
            raise failed(self.path, what, "the file is damaged")


def _wrong(path: Path, name: str) -> ModelFileError:
    return failed(path, f"tensor {name!r} is described wrongly: dtype, shape and two data_offsets are needed")


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
