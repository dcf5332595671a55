"""Sums over the tensors of one safetensors file, and whether they fill it: none outside, none over another, no gap."""

from __future__ import annotations

from collections import Counter
from math import prod
from operator import sub
from pathlib import Path
from typing import Any

from mlpack.errors import ModelFileError
from mlpack.formats import regular
from mlpack.formats.dtypes import SAFETENSORS_BITS, merged
from mlpack.formats.reading import failed
from mlpack.model import DtypeShare

METADATA = "__metadata__"
MOST_DIMENSIONS = 64
LARGEST = 2**63
PLACE_BITS = 64
MOST_TENSORS = 200_000
"""Tensors of one file; the largest checkpoints have 140,000 in all their files together."""
CONVOLUTION_DIMENSIONS = 4
"""Weights of a 2-d convolution: (out, in, height, width)."""


class _Kind:
    """All tensors of one dtype and shape: ``size`` bytes each, None where the dtype is newer than mlpack."""

    def __init__(self, dtype: str, shape: list[int]) -> None:
        self.dtype, self.dimensions = dtype, len(shape)
        self.parameters = prod(shape)
        bits = SAFETENSORS_BITS.get(dtype)
        self.size = None if bits is None else self.parameters * bits / 8
        self.tensors = self.bytes = 0

    def holds(self, size: int) -> bool:
        """A tensor of this kind can have ``size`` bytes."""
        return size >= 0 and (self.size is None or size == self.size)


class Sums:
    """Parameters and bytes by dtype and shape, and the places of all tensors, as runs without a gap."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kinds: dict[tuple[object, ...], _Kind] = {}
        self._names: set[int] = set()
        self._runs: list[int] = []
        self._run = (0, 0)
        self._last, self._last_name = 0, ""

    def take(self, text: str) -> bool:
        """Count the tensors in ``text`` if all are laid out as usual and nothing is wrong with them; else none."""
        found = regular.tensors(text)
        if found is None:
            return False
        hashes = set(map(hash, found.names))
        new = len(hashes) == len(found.names) and self._names.isdisjoint(hashes) and METADATA not in found.names
        if not new or len(self._names) + len(hashes) > MOST_TENSORS:
            return False
        counts = Counter(zip(found.dtypes, found.shapes, map(sub, found.ends, found.starts), strict=True))
        kinds = {key: self._usual(key[0], found.shape_numbers[key[1]]) for key in counts}
        if not all(kind is not None and kind.holds(key[2]) for key, kind in kinds.items()):
            return False
        self._names |= hashes
        for key, count in counts.items():
            kind = kinds[key]
            assert kind is not None
            kind.tensors += count
            kind.bytes += count * key[2]
        self._place(found.names, found.starts, found.ends)
        return True

    def _usual(self, dtype: str, shape: list[int]) -> _Kind | None:
        if len(shape) > MOST_DIMENSIONS or max(shape, default=0) >= LARGEST:
            return None
        return self._kinds.setdefault((dtype, *shape), _Kind(dtype, shape))

    def add(self, members: dict[str, Any]) -> None:
        """Count some tensors, as JSON has them. Raises ModelFileError for the first that is described wrongly."""
        members.pop(METADATA, None)
        self._add_names(members)
        starts, ends = [], []
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
            if not kind.holds(size):
                what = f"tensor {name!r} of {kind.parameters:,} {kind.dtype} cannot lie at bytes {start:,} to {end:,}"
                raise failed(self.path, what)
            kind.tensors += 1
            kind.bytes += size
            starts.append(start)
            ends.append(end)
        self._place(list(members), starts, ends)

    def _place(self, names: list[str], starts: list[int], ends: list[int]) -> None:
        """Lengthen the run by tensors that follow each other; another begins where one does not."""
        last = max(ends, default=0)
        if last > self._last:
            self._last, self._last_name = last, names[ends.index(last)]
        begin, position = self._run
        if starts[1:] == ends[:-1] and starts:  # nearly always
            starts, ends = starts[:1], ends[-1:]
        for start, end in zip(starts, ends, strict=True):
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
