"""HDF5 weights and models of Keras (.h5, .hdf5): every dataset's type and shape from the object headers."""

from __future__ import annotations

from pathlib import Path

from mlpack.formats.base import FormatFacts
from mlpack.formats.dtypes import by_shapes, merged
from mlpack.formats.hdf5_header import MAGIC
from mlpack.formats.hdf5_tree import Weights, read_weights
from mlpack.formats.keras_layers import net_of
from mlpack.formats.live_set import with_layers
from mlpack.formats.reading import described
from mlpack.formats.shards import read_index
from mlpack.formats.window import window
from mlpack.model import ModelFile, ModelInfo
from mlpack.units import show_bytes

FACTS = FormatFacts("hdf5", (".h5", ".hdf5", ".weights.json"))
INDEX = ".weights.json"
"""Keras 3 spreads large weights over files that this one names (save_weights with max_shard_size)."""


def matches(path: Path, head: bytes) -> bool:  # noqa: ARG001 - the mark is enough
    """HDF5's signature."""
    return head.startswith(MAGIC)


def read(path: Path) -> ModelInfo:
    """The weights; an optimiser's state is left out and named."""
    if not path.name.lower().endswith(INDEX):
        file, one = _file(path)
        return info_of(FACTS.name, (file,), [one])
    index, paths = read_index(path)
    shards = [_file(shard) for shard in paths]
    return info_of(FACTS.name, (index, *(file for file, _ in shards)), [one for _, one in shards])


def _file(path: Path) -> tuple[ModelFile, Weights]:
    with window(path) as whole:
        found = read_weights(whole)
        return described(path, whole.size, found.sha256), found


def info_of(
    format_name: str, files: tuple[ModelFile, ...], found: list[Weights], config: bytes | None = None
) -> ModelInfo:
    """A model of the weights in ``files``. TensorFlow copies them: nothing is mapped. ``config``: what Keras says of
    its layers, where that is not in a file of weights."""
    dense, strange = sum(one.dense for one in found), sum(one.strange for one in found)
    dtypes = () if dense else merged(share for one in found for share in one.shares)
    beside = sum(one.beside_bytes for one in found)
    unknown = []
    if dense:
        unknown.append("parameters and dtypes (groups with an index of their own are not read)")
    elif not dtypes:
        unknown.append("parameters and dtypes (it holds no arrays of numbers)")
    if strange:
        unknown.append(f"{strange:,} datasets that are not arrays of numbers")
    if beside:
        unknown.append(f"what serving needs (beside the weights {show_bytes(beside)} of an optimiser's state)")
    net = net_of(config if config is not None else b"".join(one.config for one in found))
    return ModelInfo(
        format=format_name,
        files=files,
        dtypes=dtypes,
        compressed=any(one.filtered for one in found),
        architecture=with_layers(by_shapes(dtypes, sum(one.convolved for one in found)), net),
        unknown=tuple(unknown),
    )
