"""YAML 1.1 and 1.2 alike: plain where no reader can take it for something else, double-quoted where one might."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mlpack.quoting.quoted import Quoted, text_of

DIALECT = "yaml"
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", ".nan", ".inf"])
"""Words that YAML 1.1 reads as something else than text, in any case."""
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_SPECIAL_LINES = frozenset("\x85\u2028\u2029\ufeff")


def yaml(value: object) -> Quoted:
    """A scalar, or a list or map of them in flow style. Floats are refused: write the text that is meant."""
    return Quoted(spell(value), DIALECT)


def spell(value: object) -> str:
    """``value`` in YAML. Raises TypeError for floats and unknown types, SpecError for text no file can hold."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(str(key))}: {spell(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(spell(item) for item in value) + "]"
    raise TypeError(f"{type(value).__name__} {value!r} has no single spelling in YAML; make it text first")


def _text(value: str) -> str:
    text = text_of(value, "YAML")
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if (char.isprintable() or char == "\xa0") and char not in _SPECIAL_LINES:
        return char
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
