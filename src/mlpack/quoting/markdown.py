"""Markdown (CommonMark with tables): text, inline code, and both as cells of a table."""

from __future__ import annotations

import re
import string

from mlpack.quoting.quoted import Quoted, text_of

DIALECT = "markdown"
_LIVE = re.compile(r"[\\`*\[\]<|~$]|&(?=[#A-Za-z])|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//)")
"""What can start markup, an entity or an automatic link; each may be escaped by a backslash. An underscore inside a
word is text."""


def md(value: object) -> Quoted:
    """``value`` as running text: markup escaped, runs of blanks and line breaks one blank."""
    return Quoted(_first_in_line(_escaped(_collapsed(value))), DIALECT)


def md_prose(value: object) -> Quoted:
    """As ``md``, but pairs of backticks make code: for the reasons that mlpack itself writes."""
    parts = _collapsed(value).split("`")
    if len(parts) % 2 == 0:
        return md(value)
    pieces = (_code(part).replace("|", "\\|") if index % 2 else _escaped(part) for index, part in enumerate(parts))
    return Quoted(_first_in_line("".join(pieces)), DIALECT)


def _collapsed(value: object) -> str:
    return " ".join(text_of(value, "Markdown").split())


def _escaped(text: str) -> str:
    return _LIVE.sub(r"\\\g<0>", text)


def _first_in_line(escaped: str) -> str:
    """At the start of a line these make lists, rules, headings, quotes, numbered lists."""
    escaped = re.sub(r"^([-+=#>])", r"\\\1", escaped)
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", escaped)


def md_code(value: object) -> Quoted:
    """``value`` as inline code, fenced by more backticks than it holds in a row."""
    return Quoted(_code(value), DIALECT)


def md_code_cell(value: object) -> Quoted:
    """Inline code in a table, where a `|` ends the cell even inside code unless escaped."""
    return Quoted(_code(value).replace("|", "\\|"), DIALECT)


def _code(value: object) -> str:
    text = "".join(" " if char in string.whitespace else char for char in text_of(value, "Markdown"))
    if not text.strip(" "):
        return "(blank)"
    fence = "`" * (max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
    # CommonMark strips one blank from each end when both have one
    pad = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{pad}{text}{pad}{fence}"
