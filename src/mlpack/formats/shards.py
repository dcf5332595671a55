"""An index that names the files over which a large model's tensors are spread (safetensors, PyTorch, Keras alike)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from mlpack.formats import regular
from mlpack.formats.json_members import MEMBER_BYTES, Members
from mlpack.formats.reading import HEADER_BYTES, described, failed, is_there, opened, parsed_json
from mlpack.model import ModelFile
from mlpack.units import show_bytes

SHOWN = 3
"""Absent files named in an error."""
MOST_SHARDS = 10_000
WEIGHT_MAP = re.compile(rb'"weight_map"\s*:\s*(?=\{)')


def read_index(path: Path) -> tuple[ModelFile, tuple[Path, ...]]:
    """The index file, and the shards it names, in order of their names. All must lie in the index's own folder."""
    with opened(path) as (source, size):
        if size > HEADER_BYTES:
            raise failed(path, f"is {show_bytes(size)}, more than the {show_bytes(HEADER_BYTES)} an index may have")
        names = set[str]()
        members = Members(source.read, path, path.name, take=lambda text: _take(path, text, names))
        _read_names(path, members, names)
    file = described(path, size, members.hexdigest())
    shards = tuple(path.parent / name for name in sorted(names))
    absent = [shard.name for shard in shards if not is_there(shard)]
    if absent:
        more = f" and {len(absent) - SHOWN} more" if len(absent) > SHOWN else ""
        raise failed(
            path, f"names files that are not there: {', '.join(absent[:SHOWN])}{more}", "fetch the missing files"
        )
    return file, shards


def _read_names(path: Path, members: Members, names: set[str]) -> None:
    """Add every file that the map of weights names; the rest of the index must be sound JSON too."""
    head = members.more(MEMBER_BYTES)
    found = WEIGHT_MAP.search(head)
    before, after = head, b""
    if found is not None:
        before = head[: found.end()] + b"{}"
        for batch in members.batches(head[found.end() :]):
            _add(path, batch.values(), names)
        after = members.rest
    after += members.more(MEMBER_BYTES)
    if len(after) > MEMBER_BYTES or members.more(1):
        raise failed(path, f"has more than {show_bytes(MEMBER_BYTES)} beside its weight_map")
    outer = parsed_json(before + after, path, path.name)
    if outer.get("weight_map") != {} or not names:
        raise failed(path, "has no weight_map, so it names no files")


def _take(path: Path, text: str, names: set[str]) -> bool:
    """Add the files that members name which are laid out as usual."""
    found = regular.values(text)
    if found is None:
        return False
    _add(path, found, names)
    return True


def _add(path: Path, values: Iterable[object], names: set[str]) -> None:
    for name in (one for value in values for one in (value if isinstance(value, list) else [value])):
        if type(name) is str and name in names:
            continue
        if not isinstance(name, str) or not name or name in {".", ".."} or set(name) & set("/\\\0"):
            raise failed(path, f"names {name!r}, which is not a file of its own folder", "fetch the model again")
        if name == path.name:
            raise failed(path, "names itself as a file of weights", "fetch the model again")
        names.add(name)
        if len(names) > MOST_SHARDS:
            raise failed(path, f"names more than {MOST_SHARDS:,} files", "it is damaged")
