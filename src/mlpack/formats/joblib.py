"""joblib dumps (scikit-learn): a pickle with arrays raw in the file, often compressed as a whole; never unpickled."""

from __future__ import annotations

from pathlib import Path

from mlpack.formats import pickles
from mlpack.formats.base import FormatFacts
from mlpack.model import ModelInfo

FACTS = FormatFacts("joblib", (".joblib",))


def matches(path: Path, head: bytes) -> bool:  # noqa: ARG001 - see below
    """Never: a pickle's mark does not tell joblib's from others, the suffix decides."""
    return False


def read(path: Path) -> ModelInfo:
    """Arrays by dtype, compression, and the class that is pickled."""
    return pickles.read_as(FACTS.name, path)
