"""Python source: literals."""

from __future__ import annotations

import json
import keyword
import math

from mlpack.quoting.quoted import Quoted, text_of

DIALECT = "python"


def python(value: object) -> Quoted:
    """``value`` as a literal: None, bool, int, float, str, or a list of them."""
    return Quoted(_spell(value), DIALECT)


def py_name(value: str) -> Quoted:
    """``value`` as a name on the left of `=`. Raises TypeError for what is none: names come from mlpack's own code."""
    if not value.isidentifier() or keyword.iskeyword(value):
        raise TypeError(f"{value!r} is not a name")
    return Quoted(value, DIALECT)


def _spell(value: object) -> str:
    if value is None or isinstance(value, bool | int):
        return repr(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, str):
        return _text(text_of(value, "Python"))
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_spell(item) for item in value) + "]"
    raise TypeError(f"{type(value).__name__} {value!r} has no literal")


def _text(text: str) -> str:
    """JSON's escapes are Python's too; characters outside the basic plane are written as they are."""
    inner = "".join(char if char > "\uffff" else json.dumps(char)[1:-1] for char in text)
    return f'"{inner}"'
