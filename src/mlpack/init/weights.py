"""Model files of a project: folders that are one model, and files whose name or content says so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlpack.errors import ModelFileError
from mlpack.formats import FORMATS
from mlpack.formats.detect import format_of

MARKED_ONLY = (".txt",)
"""Suffixes that mean nothing by themselves: LightGBM's models are text."""
_TOKENS = (  # file of a transformers folder, its key; the first that is there says how many tokens a text may have
    ("sentence_bert_config.json", "max_seq_length"),
    ("tokenizer_config.json", "model_max_length"),
    ("config.json", "max_position_embeddings"),
    ("config.json", "n_positions"),
)
_MOST_TOKENS = 1_000_000
"""transformers writes 1e30 where a tokenizer has no limit."""
_JSON_BYTES = 1024**2


@dataclass(frozen=True)
class FoundModel:
    """A model's path in the project and its format."""

    path: str
    format: str


def find_models(root: Path, files: Sequence[PurePosixPath]) -> tuple[FoundModel, ...]:
    """Models among ``files``, by path. What cannot be read is no model."""
    found: dict[str, FoundModel] = {}
    folders: set[PurePosixPath] = set()
    for folder in sorted({parent for file in files for parent in file.parents}):
        variant = _folder_format(root / folder)
        if variant is not None and folder != PurePosixPath("."):
            folders.add(folder)
            found[str(folder)] = FoundModel(str(folder), variant)
    indexed = {file.parent for file in files if file.name.endswith(".index.json")}
    for file in files:
        if folders.intersection(file.parents) or ("-of-" in file.name and _is_part(file, indexed)):
            continue
        variant = _file_format(root / file)
        if variant is not None:
            found[str(file)] = FoundModel(str(file), variant)
    return tuple(found[path] for path in sorted(found))


def format_at(root: Path, path: str) -> str | None:
    """The format of the model at ``path``, which the user named; None where it is absent or unclear."""
    try:
        return format_of(FORMATS, root / path)[0].FACTS.name
    except ModelFileError:
        return None


def stated_tokens(folder: Path) -> tuple[int, str] | None:
    """The longest text, in tokens, that a model folder's own files admit, and the file that says so."""
    for name, key in _TOKENS:
        try:
            raw = (folder / name).read_bytes()
            value = json.loads(raw).get(key) if len(raw) <= _JSON_BYTES else None
        except (OSError, ValueError, AttributeError, RecursionError):
            continue
        if type(value) is int and 0 < value < _MOST_TOKENS:
            return value, name
    return None


def _folder_format(folder: Path) -> str | None:
    return next(
        (name for name, variant in FORMATS.items() if variant.FACTS.folder and variant.matches(folder, b"")), None
    )


def _file_format(file: Path) -> str | None:
    name = file.name.lower()
    suffixes = {suffix for variant in FORMATS.values() for suffix in variant.FACTS.suffixes}
    if not name.endswith((*suffixes, *MARKED_ONLY)):
        return None
    try:
        return format_of(FORMATS, file)[0].FACTS.name
    except ModelFileError:
        return None


def _is_part(file: PurePosixPath, indexed: set[PurePosixPath]) -> bool:
    """Whether ``file`` is a shard that another file stands for: the index, or the first of a split GGUF."""
    return file.parent in indexed or "-00001-of-" not in file.name
