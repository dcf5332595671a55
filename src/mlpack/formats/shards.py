"""An index that names the files over which a large model's tensors are spread (safetensors and PyTorch alike)."""

from __future__ import annotations

from pathlib import Path

from mlpack.formats.reading import failed, json_file
from mlpack.model import ModelFile

SHOWN = 3
"""Absent files named in an error."""


def read_index(path: Path) -> tuple[ModelFile, tuple[Path, ...]]:
    """The index file, and the shards it names, in order of their names. All must lie in the index's own folder."""
    content, file = json_file(path)
    weight_map = content.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise failed(path, "has no weight_map, so it names no files")
    names = set()
    for name in weight_map.values():
        if type(name) is str and name in names:
            continue
        if not isinstance(name, str) or not name or name in {".", ".."} or set(name) & set("/\\\0"):
            raise failed(path, f"names {name!r}, which is not a file of its own folder", "fetch the model again")
        names.add(name)
    shards = tuple(path.parent / name for name in sorted(names))
    absent = [shard.name for shard in shards if not shard.exists()]
    if absent:
        more = f" and {len(absent) - SHOWN} more" if len(absent) > SHOWN else ""
        raise failed(
            path, f"names files that are not there: {', '.join(absent[:SHOWN])}{more}", "fetch the missing files"
        )
    return file, shards
