"""Pickles (.pkl) and joblib dumps: arrays and named classes from the instructions, which are never run."""

from __future__ import annotations

from pathlib import Path

from mlpack.formats.base import FormatFacts
from mlpack.formats.dtypes import merged
from mlpack.formats.numpy_arrays import Arrays
from mlpack.formats.packed import COUNTED_BYTES, SLOW_BYTES, UNPACKED_BYTES, Inside, Unpacking, packing
from mlpack.formats.pickle_source import Cursor, Ended, Source, Stored
from mlpack.formats.pickle_values import TooLong
from mlpack.formats.pickle_walk import walk
from mlpack.formats.reading import failed, head_of, sized_file
from mlpack.formats.window import Window, window
from mlpack.model import Architecture, ModelInfo
from mlpack.units import show_bytes

FACTS = FormatFacts("pickle", (".pkl", ".pickle"))
PROTOCOLS = range(2, 6)
UNTOLD = "parameters and dtypes"
EXTRAPOLATED = "the size unpacked"
MODEL_MODULES = ("sklearn.", "lightgbm.", "xgboost.", "catboost.", "torch.", "statsmodels.")
"""Libraries whose classes say what a pickle is."""
PLUMBING = ("joblib.numpy_pickle", "numpy.", "numpy ", "_codecs", "builtins.", "copyreg.", "copy_reg.", "collections.")


def is_pickle(head: bytes) -> bool:
    """``head`` begins with the protocol mark of versions 2 to 5."""
    return len(head) > 1 and head[0] == 0x80 and head[1] in PROTOCOLS


def matches(path: Path, head: bytes) -> bool:  # noqa: ARG001 - see below
    """Never: many formats are pickles, the suffix decides."""
    return False


def read(path: Path) -> ModelInfo:
    """Arrays by dtype and the class that is pickled; of a compressed one as far as it is unpacked."""
    return read_as(FACTS.name, path)


def read_as(format_name: str, path: Path) -> ModelInfo:
    """The same for both formats. Nothing is mapped: estimators copy their arrays when they take their state."""
    head = head_of(path)
    kind = packing(head)
    if kind is None and not is_pickle(head):
        raise failed(path, "is neither a pickle of protocol 2 to 5 nor a compressed one", "check what was downloaded")
    visitor = Arrays()
    with window(path) as whole:
        unpacking = None if kind is None else Unpacking(whole, kind)
        doubt = _walked(whole, unpacking, kind, visitor)
        inside = None if unpacking is None else unpacking.inside()
    return ModelInfo(
        format=format_name,
        files=(sized_file(path),),
        dtypes=() if doubt else merged(visitor.shares()),
        compressed=kind is not None,
        unpacked_bytes=inside.bytes if inside else None,
        extrapolated=inside is not None and not inside.exact,
        architecture=_architecture(visitor),
        unknown=(*_unknown(doubt, visitor), *_extrapolated(inside, kind)),
    )


def _walked(whole: Window, unpacking: Unpacking | None, kind: str | None, visitor: Arrays) -> str | None:
    """Follow the pickle; the reason where it was not followed to its end."""
    source: Source | None = Stored(whole) if unpacking is None else unpacking.source()
    if source is None:
        return f"compressed with {kind}, which is not unpacked"
    cursor = Cursor(source)
    if unpacking is not None and not is_pickle(head := cursor.ahead(2)):
        raise failed(whole.path, f"is compressed with {kind}, but holds no pickle ({head.hex()})", "check what it is")
    try:
        walk(cursor, visitor)
    except Ended:
        return f"compressed with {kind}; the first {show_bytes(UNPACKED_BYTES)} inside were looked at"
    except TooLong:
        return "more instructions than are followed"
    return None


def _architecture(visitor: Arrays) -> Architecture | None:
    """The first class of a model library that is named: what a pipeline or a forest begins with."""
    found = next((name for name in visitor.classes if name.startswith(MODEL_MODULES)), None)
    found = found or next((name for name in visitor.classes if not name.startswith(PLUMBING)), None)
    return None if found is None else Architecture(family="other", name=found)


def _unknown(doubt: str | None, visitor: Arrays) -> tuple[str, ...]:
    if doubt:
        return (f"{UNTOLD} ({doubt})",)
    if not visitor.sizes:
        return (f"{UNTOLD} (the pickle holds no arrays)",)
    return ("Python objects beside the arrays (only the file's size bounds them)",)


def _extrapolated(inside: Inside | None, kind: str | None) -> tuple[str, ...]:
    if inside is None or inside.exact:
        return ()
    looked = show_bytes(COUNTED_BYTES.get(kind or "", SLOW_BYTES))
    return (f"{EXTRAPOLATED} (taken to be as dense as the first {looked} inside)",)
