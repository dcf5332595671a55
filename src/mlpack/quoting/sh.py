"""POSIX shell: one word in single quotes, where nothing is expanded."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mlpack.quoting.quoted import Quoted, one_line

DIALECT = "sh"
_PLAIN = re.compile(r"[A-Za-z0-9_@%+:,./-]+")


def sh(value: object) -> Quoted:
    """``value`` as one word. Line breaks are refused: they would end the line of a Dockerfile or a guide."""
    text = one_line(value, "a shell command")
    return Quoted(text if _PLAIN.fullmatch(text) else "'" + text.replace("'", "'\\''") + "'", DIALECT)


def sh_words(values: Sequence[object]) -> Quoted:
    """``values`` as words, with blanks between them."""
    return Quoted(" ".join(sh(value) for value in values), DIALECT)
