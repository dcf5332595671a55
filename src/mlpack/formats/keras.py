"""Keras 3's .keras: a zip archive of metadata.json, config.json and HDF5 weights, which lie in it as they are."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from mlpack.formats import archive
from mlpack.formats.archive import Archive
from mlpack.formats.base import FormatFacts
from mlpack.formats.hdf5 import info_of
from mlpack.formats.hdf5_tree import read_weights
from mlpack.formats.reading import described, failed
from mlpack.formats.window import window
from mlpack.model import ModelInfo

FACTS = FormatFacts("keras", (".keras",))
FIRST_ENTRY = "metadata.json"
CONFIG = "config.json"
WEIGHTS = ".weights.h5"
ADDRESS = re.compile(rb'"shared_object_id": ?\d+')
"""Where an object lay in the memory of the process that saved the file: another number in each training of the same
model, and no part of what describes its tensors."""
PACKED = "parameters and dtypes (the weights are compressed in the archive, and not unpacked)"


def matches(path: Path, head: bytes) -> bool:  # noqa: ARG001 - the first entry is enough
    """A zip archive whose first entry is the one that Keras writes first."""
    return archive.first_entry(head) == FIRST_ENTRY


def read(path: Path) -> ModelInfo:
    """All weights in the archive, of one file or of shards."""
    with window(path) as whole:
        found = Archive(whole)
        if CONFIG not in found.entries:
            raise failed(path, "is a zip archive without Keras' config.json", "check what it is")
        names = [name for name in found.entries if name.endswith(WEIGHTS) and "/" not in name]
        digest = hashlib.sha256(repr(sorted(found.entries.items())).encode())
        config = found.content(CONFIG)
        digest.update(ADDRESS.sub(b"", config))
        if any(found.entries[name].method != archive.STORED for name in names):
            return ModelInfo(
                format=FACTS.name,
                files=(described(path, whole.size, digest.hexdigest()),),
                compressed=True,
                unpacked_bytes=sum(found.entries[name].size for name in names),
                unknown=(PACKED,),
            )
        weights = [read_weights(found.data(name)) for name in names]
        for one in weights:
            digest.update(one.sha256.encode())
        return info_of(FACTS.name, (described(path, whole.size, digest.hexdigest()),), weights, config)
