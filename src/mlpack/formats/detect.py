"""Which format a path is: exactly one, by content first and by suffix where content has no mark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlpack.formats import transformers
from mlpack.formats.base import Format
from mlpack.formats.reading import failed, head_of, is_there, system_errors

MOST_ENTRIES = 10_000
"""A folder with more entries is not looked through."""
SHOWN = 5


def format_of(formats: Mapping[str, Format], path: Path) -> tuple[Format, Path]:
    """The one format of ``path``, and the file or folder to read: of a folder with a single model in it, that model.

    Raises ModelFileError, naming the candidates where there is more than one.
    """
    index = Path(f"{path}.index")
    if not is_there(path) and is_there(index):
        raise failed(path, "there is no such file or folder", f"a TensorFlow checkpoint is named by its {index.name}")
    with system_errors(path):
        is_folder = path.stat() and path.is_dir()
    return _of_folder(formats, path) if is_folder else (_of_file(formats, path), path)


def _of_file(formats: Mapping[str, Format], path: Path) -> Format:
    """By content; a suffix that says otherwise is an error, as the app that loads the file would fail."""
    head = head_of(path)
    marked = {
        name: variant for name, variant in formats.items() if not variant.FACTS.folder and variant.matches(path, head)
    }
    named = _by_suffix(formats, path)
    if len(marked) > 1:
        raise failed(path, f"may be {' or '.join(marked)}")
    if not marked and not named:
        known = sorted({suffix for variant in formats.values() for suffix in variant.FACTS.suffixes})
        whole = [
            name for name, variant in formats.items() if variant.FACTS.folder and variant.matches(path.parent, b"")
        ]
        hint = (
            f"it is a part of a model in a folder ({whole[0]}): name the folder"
            if whole
            else f"known suffixes: {', '.join(known)}"
        )
        raise failed(path, "is not a model that mlpack knows", hint)
    if marked and named and not marked.keys() & named.keys():
        raise failed(path, f"is named like {' or '.join(named)}, but its content is {next(iter(marked))}", "rename it")
    if len(named) > 1 and not marked:
        raise failed(path, f"may be {' or '.join(named)}")
    return next(iter((marked or named).values()))


def _of_folder(formats: Mapping[str, Format], path: Path) -> tuple[Format, Path]:
    with system_errors(path):
        marked = {n: v for n, v in formats.items() if v.FACTS.folder and v.matches(path, b"")}
    if len(marked) > 1:
        raise failed(path, f"may be {' or '.join(marked)}", "name the file in it that is meant")
    if marked:
        return next(iter(marked.values())), path
    inside = _models_inside(formats, path)
    if len(inside) == 1:
        return inside[0]
    if inside:
        names = ", ".join(sorted(file.name for _, file in inside)[:SHOWN])
        raise failed(path, f"holds {len(inside)} models: {names}", "name the one that is meant")
    if (path / "config.json").is_file():
        return transformers, path  # its reader says which weights are missing
    raise failed(path, "holds no model that mlpack knows", "name the model's file or folder")


def _models_inside(formats: Mapping[str, Format], path: Path) -> list[tuple[Format, Path]]:
    """The model files of a folder; an index stands for its shards, a split GGUF's first part for the others."""
    with system_errors(path):
        entries: list[Path] = []
        for entry in path.iterdir():
            if len(entries) == MOST_ENTRIES:
                raise failed(path, f"holds more than {MOST_ENTRIES:,} entries", "name the model's file or folder")
            entries.append(entry)
    files = sorted(entry for entry in entries if entry.is_file() and _by_suffix(formats, entry))
    indexes = [file for file in files if file.name.endswith((".index.json", ".weights.json"))]
    if indexes:
        return [(_of_file(formats, file), file) for file in indexes]
    first = [file for file in files if "-of-" not in file.name or "-00001-of-" in file.name]
    return [(_of_file(formats, file), file) for file in first]


def _by_suffix(formats: Mapping[str, Format], path: Path) -> dict[str, Format]:
    """Formats whose suffix ``path`` has; of ``.bin`` and ``.bin.index.json`` the longer one decides."""
    name = path.name.lower()
    fitting = {
        key: max((len(suffix) for suffix in variant.FACTS.suffixes if name.endswith(suffix)), default=0)
        for key, variant in formats.items()
    }
    longest = max(fitting.values())
    return {key: formats[key] for key, length in fitting.items() if length and length == longest}
