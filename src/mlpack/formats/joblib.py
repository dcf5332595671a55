"""joblib dumps (scikit-learn): a pickle, often compressed as a whole. Size and compression only; never unpickled."""

from __future__ import annotations

from pathlib import Path

from mlpack.formats.base import FormatFacts
from mlpack.formats.pickles import COMPRESSED, is_pickle
from mlpack.formats.reading import failed, head_of, size_only
from mlpack.model import ModelInfo

FACTS = FormatFacts("joblib", (".joblib",))


def matches(path: Path, head: bytes) -> bool:  # noqa: ARG001 - see below
    """Never: a pickle's mark does not tell joblib's from others, the suffix decides."""
    return False


def read(path: Path) -> ModelInfo:
    """The file's size, and whether it is compressed."""
    head = head_of(path)
    compressed = head.startswith(COMPRESSED)
    if not compressed and not is_pickle(head):
        raise failed(path, "is neither a pickle nor a compressed one", "check what was downloaded")
    return size_only(FACTS.name, [path], "the pickle", compressed=compressed)
