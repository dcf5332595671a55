"""Caddyfile: one token. Braces are refused: Caddy replaces `{...}` wherever it stands, quoted or not."""

from __future__ import annotations

import re

from mlpack.errors import SpecError
from mlpack.quoting.quoted import Quoted, one_line

DIALECT = "caddy"
_PLAIN = re.compile(r"[A-Za-z0-9_./:-]+")


def caddy(value: object) -> Quoted:
    """``value`` as one token: plain, in double quotes, or in backquotes, which take backslashes as they are.

    Raises SpecError for braces, and for backslashes together with backquotes, which no form holds.
    """
    text = one_line(value, "a Caddyfile")
    if "{" in text or "}" in text:
        raise SpecError(f"{text!r} holds a brace, which Caddy takes for a placeholder")
    if _PLAIN.fullmatch(text):
        return Quoted(text, DIALECT)
    if "\\" not in text:
        spelled = text.replace('"', '\\"')
        return Quoted(f'"{spelled}"', DIALECT)
    if "`" in text:
        raise SpecError(f"{text!r} holds both backslash and backquote, which a Caddyfile cannot hold together")
    return Quoted(f"`{text}`", DIALECT)
