"""PyTorch's zip archives (.pt, .pth, .bin, TorchScript) and its older pickles. Size only; nothing is unpickled."""

from __future__ import annotations

from pathlib import Path

from mlpack.formats import archive
from mlpack.formats.base import FormatFacts
from mlpack.formats.reading import failed, head_of, size_only, sized_file
from mlpack.formats.shards import read_index
from mlpack.model import ModelInfo

FACTS = FormatFacts("pytorch", (".pt", ".pth", ".bin", ".ckpt", ".jit", ".bin.index.json"))
OLD_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""``torch.save`` before version 1.6: a pickled number (torch.serialization.MAGIC_NUMBER)."""
ENTRIES = ("/data.pkl", "/version", "/.format_version", "/.data/serialization_id", "/constants.pkl", "/byteorder")
"""Ends of the first entry's name in archives of ``torch.save`` and ``torch.jit.save``."""


def matches(path: Path, head: bytes) -> bool:
    """A zip archive that begins with one of PyTorch's entries, an old one's mark, or an index by its name."""
    if path.name.endswith(".bin.index.json"):
        return True
    entry = archive.first_entry(head)
    return head.startswith(OLD_MAGIC) or (entry is not None and entry.endswith(ENTRIES))


def read(path: Path) -> ModelInfo:
    """The size of one file, or of all that an index names."""
    if path.name.endswith(".index.json"):
        index, shards = read_index(path)
        found = size_only(FACTS.name, list(shards), "the archive's directory")
        return found.model_copy(update={"files": (index, *found.files)})
    head = head_of(path)
    if head.startswith(OLD_MAGIC):
        return ModelInfo(
            format=FACTS.name,
            files=(sized_file(path),),
            unknown=("parameters and dtypes (an archive older than PyTorch 1.6, which only unpickling would tell)",),
        )
    if not head.startswith(archive.MAGIC):
        raise failed(path, "is not a PyTorch file: neither its zip archive nor its older form", "check what it is")
    archive.check_end(path)
    return size_only(FACTS.name, [path], "the archive's directory")
