"""PyTorch's files (.pt, .pth, .bin, TorchScript): tensors from the pickle's instructions, which are never run."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from mlpack.formats import archive
from mlpack.formats.archive import Archive
from mlpack.formats.base import FormatFacts
from mlpack.formats.dtypes import by_shapes, merged
from mlpack.formats.pickle_source import Cursor, Stored
from mlpack.formats.pickle_values import TooLong, Visitor
from mlpack.formats.pickle_walk import walk
from mlpack.formats.reading import described, failed, head_of
from mlpack.formats.shards import read_index
from mlpack.formats.torch_tensors import Tensors, optimiser_in
from mlpack.formats.window import Window, window
from mlpack.model import DtypeShare, ModelFile, ModelInfo

FACTS = FormatFacts("pytorch", (".pt", ".pth", ".bin", ".ckpt", ".jit", ".bin.index.json"))
OLD_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""``torch.save`` before version 1.6: a pickled number (torch.serialization.MAGIC_NUMBER)."""
ENTRIES = re.compile(
    r"^[^/]+/(data\.pkl|constants\.pkl|version|byteorder|\.format_version|\.storage_alignment|\.data/serialization_id"
    r"|(data|constants)/\d+|code/.+)$"
)
"""The first entry of archives of ``torch.save`` and ``torch.jit.save``."""
PICKLES = {"data.pkl": "data", "constants.pkl": "constants"}
"""Pickle -> folder of its storages. TorchScript keeps frozen weights among its constants."""
UNTOLD = "parameters and dtypes (more tensors than are followed)"
OPTIMISER = "what serving needs (an optimiser's state is saved beside the weights: it is counted too)"


class Part(NamedTuple):
    """One file's tensors. ``mappable``: every storage lies in it as it is in memory."""

    file: ModelFile
    shares: tuple[DtypeShare, ...]
    convolved: int
    mappable: bool
    unknown: tuple[str, ...]


def matches(path: Path, head: bytes) -> bool:
    """A zip archive that begins with one of PyTorch's entries, an old one's mark, or an index by its name."""
    if path.name.endswith(".bin.index.json"):
        return True
    entry = archive.first_entry(head)
    return head.startswith(OLD_MAGIC) or (entry is not None and ENTRIES.match(entry) is not None)


def read(path: Path) -> ModelInfo:
    """One file, or all that an index names."""
    index: tuple[ModelFile, ...] = ()
    paths: tuple[Path, ...] = (path,)
    if path.name.endswith(".index.json"):
        file, paths = read_index(path)
        index = (file,)
    parts = [_part(one) for one in paths]
    untold = any(UNTOLD in part.unknown for part in parts)
    dtypes = () if untold else merged(share for part in parts for share in part.shares)
    unknown = dict.fromkeys(reason for part in parts for reason in part.unknown)
    if not dtypes and not untold:
        unknown["parameters and dtypes (no tensors are saved in it)"] = None
    return ModelInfo(
        format=FACTS.name,
        files=(*index, *(part.file for part in parts)),
        dtypes=dtypes,
        mappable=all(part.mappable for part in parts),
        architecture=by_shapes(dtypes, sum(part.convolved for part in parts)),
        unknown=tuple(unknown),
    )


def _part(path: Path) -> Part:
    head = head_of(path)
    if not head.startswith((OLD_MAGIC, archive.MAGIC)):
        raise failed(path, "is not a PyTorch file: neither its zip archive nor its older form", "check what it is")
    with window(path) as whole:
        try:
            return _old(whole) if head.startswith(OLD_MAGIC) else _zipped(whole)
        except TooLong:
            digest = hashlib.sha256(head + str(whole.size).encode())
            return Part(described(path, whole.size, digest.hexdigest()), (), 0, False, (UNTOLD,))


def _zipped(whole: Window) -> Part:
    """An archive: a pickle of the tree, and one entry for every storage."""
    path, found = whole.path, Archive(whole)
    pickles = {
        name: folder
        for name in found.entries
        for end, folder in PICKLES.items()
        if name.endswith("/" + end) and name.count("/") == 1
    }
    if not any(name.endswith("/data.pkl") for name in pickles):
        raise failed(path, "is a zip archive without PyTorch's data.pkl", "check what it is")
    digest = hashlib.sha256()
    shares: list[DtypeShare] = []
    convolved, mappable, unknown = 0, True, dict[str, None]()
    for name, folder in sorted(pickles.items()):
        content = found.content(name)
        digest.update(content)
        visitor = Tensors()
        value = walk(Cursor(_Held(path, content)), visitor)
        place = name[: name.index("/") + 1] + folder + "/"
        mappable &= _check_storages(path, found, visitor, place)
        shares += visitor.shares()
        convolved += visitor.convolved()
        unknown |= dict.fromkeys(_doubts(visitor, optimiser=optimiser_in(value)))
    return Part(
        described(path, whole.size, digest.hexdigest()),
        merged(shares),
        convolved,
        mappable and bool(shares),
        (*unknown,),
    )


def _check_storages(path: Path, found: Archive, visitor: Tensors, place: str) -> bool:
    """Every storage is an entry of its size; True where all of them are stored as they are."""
    for storage in visitor.storages.values():
        entry = found.entries.get(place + storage.key)
        if entry is None:
            raise failed(path, f"names tensor data {place + storage.key!r}, which is not in it", "fetch it again")
        if entry.size != storage.size:
            what = f"names {storage.size:,} bytes of tensor data {place + storage.key!r}, which has {entry.size:,}"
            raise failed(path, what, "the file is damaged")
    return all(found.entries[place + key].method == archive.STORED for key in visitor.storages)


def _old(whole: Window) -> Part:
    """The form before 1.6: pickles of a mark, a version, the machine, the tree and the data's keys; then the data."""
    cursor = Cursor(Stored(whole))
    visitor = Tensors()
    for _ in range(3):
        walk(cursor, Visitor())
    value = walk(cursor, visitor)
    walk(cursor, Visitor())
    needed = cursor.position + sum(8 + storage.size for storage in visitor.storages.values())
    if needed > whole.size:
        what = f"is truncated: its tensors take {needed:,} bytes, the file has {whole.size:,}"
        raise failed(whole.path, what, "fetch it again")
    digest = hashlib.sha256(repr(sorted(visitor.tensors)).encode()).hexdigest()
    doubts = _doubts(visitor, optimiser=optimiser_in(value))
    file = described(whole.path, whole.size, digest)
    return Part(file, merged(visitor.shares()), visitor.convolved(), False, doubts)


def _doubts(visitor: Tensors, *, optimiser: bool) -> tuple[str, ...]:
    strange = (f"{visitor.strange:,} tensors of a kind that is not read",) if visitor.strange else ()
    return (*strange, OPTIMISER) if optimiser else strange


class _Held:
    """A pickle that is in memory."""

    def __init__(self, path: Path, content: bytes) -> None:
        self.path, self._content, self._at = path, content, 0

    def read(self, count: int) -> bytes:
        found = self._content[self._at : self._at + count]
        self._at += len(found)
        return found

    def skip(self, count: int) -> None:
        if self._at + count > len(self._content):
            raise failed(self.path, "has a pickle that ends in the middle", "fetch it again")
        self._at += count
