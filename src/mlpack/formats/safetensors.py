"""safetensors: eight bytes of length, a JSON header, then raw tensors; or an index that names several such files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from mlpack.formats.base import FormatFacts
from mlpack.formats.dtypes import by_shapes, merged
from mlpack.formats.json_members import Members
from mlpack.formats.reading import HEADER_BYTES, described, exactly, failed, opened
from mlpack.formats.shards import read_index
from mlpack.formats.tensor_sums import Sums
from mlpack.model import DtypeShare, ModelFile, ModelInfo
from mlpack.units import show_bytes

FACTS = FormatFacts("safetensors", (".safetensors", ".safetensors.index.json"))
LENGTH_BYTES = 8
KEYS = (b'"dtype"', b'"shape"', b'"data_offsets"')


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
        sums = Sums(path)
        members = Members(
            lambda count: exactly(file, min(count, end - file.tell()), path),
            path,
            "its header",
            before=prefix,
            once=KEYS,
            take=sums.take,
        )
        for batch in members.batches():
            sums.add(batch)
        rest = members.rest
        while not rest.strip() and (rest := members.more()):
            pass
    if rest.strip():
        raise failed(path, "its header goes on after its end", "the file is damaged")
    sums.check_places(size - end)
    return Shard(described(path, size, members.hexdigest()), sums.shares(), sums.convolved)


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
