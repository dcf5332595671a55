"""Quoted: text that is already spelled for one dialect. Templates print nothing else."""

from __future__ import annotations

from mlpack.errors import SpecError

Scalar = str | int | float | bool | None
LINE_BREAKS = frozenset("\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
"""What Python, YAML or an editor takes for the end of a line."""


class Quoted(str):
    """Text spelled for ``dialect``. Any operation on it gives plain text, which a template refuses to print."""

    __slots__ = ("dialect",)
    dialect: str

    def __new__(cls, text: str, dialect: str) -> Quoted:
        quoted = super().__new__(cls, text)
        quoted.dialect = dialect
        return quoted


def text_of(value: object, dialect: str) -> str:
    """``value`` as text: strings and whole numbers only, as other types have several spellings.

    Raises SpecError for text that no file can hold: a NUL, or half of a surrogate pair (bytes that are not UTF-8).
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(f"{type(value).__name__} {value!r} has no spelling in {dialect}; make it text first")
    text = str(value)
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise SpecError(f"{text!r} holds a NUL or bytes that are not UTF-8, which {dialect} cannot hold")
    return text


def one_line(value: object, dialect: str) -> str:
    """``text_of`` for dialects whose values end with the line. Raises SpecError on a line feed or carriage return."""
    text = text_of(value, dialect)
    if "\n" in text or "\r" in text:
        raise SpecError(
            f"{text!r} holds a line break, which {dialect} cannot hold",
            hint="keep such values in a file: a volume, or a secret that the program reads from its file",
        )
    return text
