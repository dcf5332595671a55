"""TensorFlow checkpoints: ``<prefix>.index`` with its data files, or a folder whose ``checkpoint`` names the latest."""

from __future__ import annotations

import re
from pathlib import Path

from mlpack.formats.base import FormatFacts
from mlpack.formats.dtypes import by_shapes, merged
from mlpack.formats.reading import failed, head_of, is_there
from mlpack.formats.tf_bundle import Bundle, read_bundle
from mlpack.model import ModelInfo
from mlpack.units import show_bytes

FACTS = FormatFacts("checkpoint", (".index",), folder=True)
STATE = "checkpoint"
LATEST = re.compile(rb'^model_checkpoint_path:\s*"([^"]+)"', re.MULTILINE)


def matches(path: Path, head: bytes) -> bool:  # noqa: ARG001 - the table's mark is at its end
    """A folder with the file that names the latest checkpoint, and no SavedModel; an index by its name."""
    if path.name.endswith(".index"):
        return True
    return (path / STATE).is_file() and not (path / "saved_model.pb").is_file()


def read(path: Path) -> ModelInfo:
    """The variables of one checkpoint, an optimiser's left out."""
    if not path.is_dir():
        return info_of(FACTS.name, read_bundle(path))
    latest = LATEST.search(head_of(path / STATE))
    if latest is None:
        raise failed(path / STATE, "names no checkpoint", "name the checkpoint's .index file")
    name = Path(latest[1].decode("utf-8", errors="replace")).name  # an absolute path where it was trained
    index = path / f"{name}.index"
    if not is_there(index):
        raise failed(path / STATE, f"names the checkpoint {name!r}, which is not there", "fetch it again")
    return info_of(FACTS.name, read_bundle(index))


def info_of(format_name: str, bundle: Bundle) -> ModelInfo:
    """A model of ``bundle``'s variables."""
    unknown = []
    if bundle.beside_bytes:
        unknown.append(
            f"what serving needs (beside the weights {show_bytes(bundle.beside_bytes)} of an optimiser's state)"
        )
    if bundle.strange:
        unknown.append(f"{bundle.strange:,} variables of types newer than mlpack")
    dtypes = merged(bundle.shares)
    if not dtypes:
        unknown.append("parameters and dtypes (the index names no variables)")
    return ModelInfo(
        format=format_name,
        files=tuple(bundle.files),
        dtypes=dtypes,
        architecture=by_shapes(dtypes, bundle.convolved),
        unknown=tuple(unknown),
    )
