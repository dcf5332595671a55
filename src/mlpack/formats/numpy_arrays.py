"""NumPy arrays in pickles and joblib dumps: their dtype and size from the instructions; and which classes are named."""

from __future__ import annotations

import re
from collections import Counter
from math import prod
from typing import Any

from mlpack.formats.pickle_source import Cursor
from mlpack.formats.pickle_values import Called, Named, Payload, Visitor
from mlpack.formats.pickle_walk import walk
from mlpack.model import DtypeShare

CODE = re.compile(r"^([biufcSUVOMm])(\d{1,9})$")
NAMES = {"b": "BOOL", "i": "I", "u": "U", "f": "F", "c": "C", "S": "text", "U": "text", "M": "I64", "m": "I64"}
CHARACTER_BYTES = 4
"""Bytes of a character in NumPy's unicode arrays; their code counts characters."""
LARGEST = 2**62
MOST_CLASSES = 200
MOST_NESTED = 8
RECORD = "record"
WRAPPERS = frozenset({"NumpyArrayWrapper"})


class Kind:
    """A NumPy dtype: its name here and bytes per element; ``objects``: pickled Python objects instead of numbers."""

    def __init__(self, name: str, width: int, *, objects: bool = False) -> None:
        self.name, self.width, self.objects = name, width, objects


class Array:
    """An array that ``_reconstruct`` begins and BUILD completes."""


class Wrapper:
    """joblib's stand-in: its state tells the array, whose bytes follow raw in the file."""


class Arrays(Visitor):
    """Sums over arrays by dtype, and the classes and functions that the pickle names."""

    def __init__(self, depth: int = 0) -> None:
        self.depth = depth
        self.parameters: Counter[str] = Counter()
        self.sizes: Counter[str] = Counter()
        self.classes: dict[str, None] = {}

    def named(self, what: Named) -> None:
        """Note the class or function."""
        if len(self.classes) < MOST_CLASSES:
            self.classes[str(what)] = None

    def called(self, call: Called) -> Any:
        """dtypes, arrays to be completed, and arrays from a buffer (protocol 5)."""
        module, name = call.what
        if module == "numpy" and name == "dtype":
            return kind_of(call.arguments[0] if call.arguments else None)
        if name == "_reconstruct" and module.endswith(".multiarray"):
            return Array()
        if name in WRAPPERS:
            return Wrapper()
        if name == "_frombuffer" and module.startswith("numpy"):
            match call.arguments:
                case (_, Kind() as kind, tuple(shape), *_):
                    self._add(kind, shape)
        return call

    def built(self, value: Any, state: Any, cursor: Cursor) -> None:
        """Complete an array. Of joblib's the bytes are passed over; objects among them are a pickle of their own."""
        if isinstance(value, Array):
            match state:
                case (_, tuple(shape), Kind() as kind, _, Payload() | None | _):
                    self._add(kind, shape)
        elif isinstance(value, Wrapper) and isinstance(state, dict):
            match state.get("dtype"), state.get("shape"):
                case (Kind() as kind, tuple(shape)):
                    self._raw(kind, shape, cursor, aligned=state.get("numpy_array_alignment_bytes") is not None)
                case _:
                    raise ValueError("an array without dtype or shape")

    def shares(self) -> tuple[DtypeShare, ...]:
        """Elements and bytes by dtype."""
        return tuple(
            DtypeShare(dtype=name, parameters=count, bytes=self.sizes[name]) for name, count in self.parameters.items()
        )

    def _raw(self, kind: Kind, shape: tuple[Any, ...], cursor: Cursor, *, aligned: bool) -> None:
        if kind.objects:
            if self.depth >= MOST_NESTED:
                raise ValueError("arrays of objects, nested too deeply")
            self.depth += 1
            walk(cursor, self)
            self.depth -= 1
            return
        if aligned:  # joblib 1.1 and later: one byte tells how many follow until the array is aligned
            cursor.skip(cursor.take(1)[0])
        cursor.skip(self._add(kind, shape))

    def _add(self, kind: Kind, shape: tuple[Any, ...]) -> int:
        """Count an array; its bytes. Raises ValueError where its shape cannot be."""
        if len(shape) > 64 or not all(type(n) is int and 0 <= n < LARGEST for n in shape):
            raise ValueError("an array of an impossible shape")
        count: int = prod(shape)
        size = count * kind.width
        if size >= LARGEST:
            raise ValueError("an array of an impossible size")
        if not kind.objects:
            self.parameters[kind.name] += count
            self.sizes[kind.name] += size
        return size


def kind_of(code: Any) -> Kind | None:
    """The dtype of NumPy's ``code``: f8, i4, b1, V64 (a record of 64 bytes), U10, O8; None where it is none."""
    match = CODE.match(code) if isinstance(code, str) else None
    if match is None:
        return None
    letter, number = match[1], int(match[2])
    width = number * CHARACTER_BYTES if letter == "U" else number
    if letter == "O":
        return Kind("objects", width, objects=True)
    if letter == "V":
        return Kind(RECORD, width)
    name = NAMES[letter]
    return Kind(f"{name}{8 * number}" if name in {"I", "U", "F", "C"} else name, width)
