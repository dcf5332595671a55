"""Names that Spec accepts, made from folders and files."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from mlpack.formats import FORMATS

_MOST = 40
_SUFFIXES = frozenset(suffix for variant in FORMATS.values() for suffix in variant.FACTS.suffixes) | {".txt", ".json"}
_GENERIC = frozenset(
    ["model", "models", "weights", "weight", "pytorch-model", "checkpoint", "checkpoints", "best", "final"]
)


def as_name(text: str, otherwise: str) -> str:
    """``text`` in lower case with single dashes between letters and digits; ``otherwise`` where nothing is left."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-").lstrip("0123456789-")
    return words[:_MOST].rstrip("-") or otherwise


def model_name(path: str, taken: frozenset[str]) -> str:
    """A name for the model at ``path``: the file's, or its folder's where the file's says nothing; unique."""
    pure = PurePosixPath(path)
    stem = pure.name.partition(".")[0] if pure.suffix in _SUFFIXES else pure.name
    parts = [as_name(part, "model") for part in (stem, *pure.parts[-2::-1])]
    name = next((part for part in parts if part not in _GENERIC), "model")
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name[: _MOST - 3]}-{number}", number + 1
    return unique
