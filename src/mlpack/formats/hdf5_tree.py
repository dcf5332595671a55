"""The datasets of an HDF5 file by their path, as Keras names them: weights counted, an optimiser's state left out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod

from mlpack.formats.dtypes import merged
from mlpack.formats.hdf5_attribute import model_config
from mlpack.formats.hdf5_header import File, Object
from mlpack.formats.window import Window
from mlpack.model import DtypeShare

MOST_OBJECTS = 50_000
MOST_DEPTH = 64
NAME_BYTES = 256
OPTIMISERS = frozenset({"optimizer", "optimizer_weights"})
NO_WEIGHTS = frozenset({"seed_generator", "seed_generator_state", "metrics", "_metrics"})
"""Groups whose variables Keras does not count as weights (``Model.count_params``)."""
LARGEST = 2**62
CONVOLUTION_DIMENSIONS = 4
SUMMED_AFTER = 1000


@dataclass
class Weights:
    """Sums over the datasets. ``dense``: groups of a kind that is not read."""

    shares: list[DtypeShare] = field(default_factory=list)
    convolved: int = 0
    beside_bytes: int = 0
    filtered: bool = False
    dense: int = 0
    strange: int = 0
    sha256: str = ""
    config: bytes = b""
    """What Keras says about the model, as JSON; empty where it keeps none here."""


def read_weights(window: Window) -> Weights:
    """Walk all groups from the root, each object once. Raises ModelFileError where the file is damaged or cut off."""
    file, found, digest = File(window), Weights(), hashlib.sha256()
    seen = {file.root}
    waiting: list[tuple[tuple[str, ...], int]] = [((), file.root)]
    while waiting:
        path, place = waiting.pop()
        item = file.object(place)
        found.dense += item.dense
        if item.shape is not None and item.width:
            digest.update(f"{'/'.join(path)} {item.dtype} {item.shape}\n".encode())
            _count(file, path, item, found)
        for name, child in _children(file, item):
            if child not in seen and len(path) < MOST_DEPTH:
                seen.add(child)
                waiting.append(((*path, name), child))
        if len(seen) > MOST_OBJECTS:
            raise file.damaged(f"more than {MOST_OBJECTS:,} objects")
    found.sha256 = digest.hexdigest()
    found.config = model_config(file)
    return found


def _count(file: File, path: tuple[str, ...], item: Object, found: Weights) -> None:
    """Add one dataset to the sums."""
    shape = item.shape or ()
    if any(size >= LARGEST for size in shape):
        raise file.damaged(f"dataset {'/'.join(path)!r} of shape {shape[:8]}")
    count = prod(shape)
    size = count * item.width
    if item.data is not None and item.data[0] != file.undefined:
        file.window.check(file.base + item.data[0], item.data[1])
        if item.data[1] != size and item.dtype is not None:
            raise file.damaged(f"dataset {'/'.join(path)!r} of {size:,} bytes has {item.data[1]:,}")
    found.filtered |= item.filtered
    if path and path[0] in OPTIMISERS:
        found.beside_bytes += size
    elif item.dtype is None:
        found.strange += item.width > 1 and count > 1
    elif NO_WEIGHTS.isdisjoint(path):
        found.shares.append(DtypeShare(dtype=item.dtype, parameters=count, bytes=size))
        found.convolved += count if len(shape) >= CONVOLUTION_DIMENSIONS else 0
    if len(found.shares) > SUMMED_AFTER:
        found.shares = list(merged(found.shares))


def _children(file: File, item: Object) -> Iterator[tuple[str, int]]:
    """Names and places of a group's members."""
    yield from item.links
    if item.symbols is not None:
        tree, heap = item.symbols
        names = _heap(file, heap)
        yield from _tree(file, tree, names, set())


def _heap(file: File, place: int) -> tuple[int, int]:
    """Place and length of a local heap's text."""
    head = file.at(place, 8 + 2 * file.length_bytes + file.offset_bytes)
    if head[:4] != b"HEAP":
        raise file.damaged(f"no heap of names at byte {place:,}")
    return file.address(head, 8 + 2 * file.length_bytes), file.length(head, 8)


def _tree(file: File, place: int, names: tuple[int, int], seen: set[int]) -> Iterator[tuple[str, int]]:
    """The symbols under a tree's node, whose children are nodes or lists of symbols."""
    waiting = [place]
    while waiting:
        place = waiting.pop()
        if place in seen or len(seen) > MOST_OBJECTS:
            raise file.damaged("a group that contains itself")
        seen.add(place)
        head = file.at(place, 8 + 2 * file.offset_bytes)
        if head[:4] == b"SNOD":
            yield from _symbols(file, place, names)
            continue
        if head[:4] != b"TREE" or head[4] != 0:
            raise file.damaged(f"no tree of a group at byte {place:,}")
        width = file.length_bytes + file.offset_bytes
        count = int.from_bytes(head[6:8], "little")
        body = file.at(place + len(head), count * width + file.length_bytes)
        waiting += [file.address(body, i * width + file.length_bytes) for i in range(count)]


def _symbols(file: File, place: int, names: tuple[int, int]) -> Iterator[tuple[str, int]]:
    count = int.from_bytes(file.at(place + 6, 2), "little")
    width = 2 * file.offset_bytes + 24
    body = file.at(place + 8, count * width)
    start, size = names
    for at in range(0, count * width, width):
        name = file.address(body, at)
        if name >= size:
            raise file.damaged("a name outside of its heap")
        text = file.at(start + name, min(NAME_BYTES, size - name)).split(b"\0", 1)[0]
        yield text.decode("utf-8", errors="replace"), file.address(body, at + file.offset_bytes)
