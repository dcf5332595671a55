"""nginx.conf: one double-quoted word. nginx has no spelling for a literal dollar, so that one is refused."""

from __future__ import annotations

import re

from mlpack.errors import SpecError
from mlpack.quoting.quoted import Quoted, one_line

DIALECT = "nginx"
_PLAIN = re.compile(r"[A-Za-z0-9_./:-]+")


def nginx(value: object) -> Quoted:
    """``value`` as one parameter. Raises SpecError for a dollar, which starts a variable even in quotes."""
    text = one_line(value, "nginx.conf")
    if "$" in text:
        raise SpecError(f"{text!r} holds a dollar, which nginx.conf cannot hold")
    if _PLAIN.fullmatch(text):
        return Quoted(text, DIALECT)
    # inside quotes nginx reads \" \' \\ and, as C does, \t \r \n; every other backslash stays
    spelled = text.replace("\\", "\\\\").replace('"', '\\"')
    return Quoted(f'"{spelled}"', DIALECT)
