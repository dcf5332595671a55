"""Markdown (CommonMark with tables): text, inline code, and both as cells of a table."""

from __future__ import annotations

import re
import string

from mlpack.quoting.quoted import Quoted, text_of

DIALECT = "markdown"
_LIVE = frozenset("\\`*_{}[]<>#|~&!$@:")
"""Punctuation that can start markup, an entity or an automatic link; each may be escaped by a backslash."""


def md(value: object) -> Quoted:
    """``value`` as running text: markup escaped, runs of blanks and line breaks one blank."""
    text = " ".join(text_of(value, "Markdown").split())
    escaped = "".join("\\" + char if char in _LIVE else char for char in text)
    # at the start of a line: lists, rules, quotes, numbered lists
    escaped = re.sub(r"^([-+=])", r"\\\1", escaped)
    return Quoted(re.sub(r"^(\d+)([.)])", r"\1\\\2", escaped), DIALECT)


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
