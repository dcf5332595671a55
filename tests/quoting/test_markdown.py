"""Markdown: what is written is what a CommonMark parser shows as text."""

from __future__ import annotations

from hypothesis import given
from markdown_it import MarkdownIt
from markdown_it.token import Token
from tests.quoting.hostile import LINE, LINES

from mlpack.quoting.markdown import md, md_code, md_code_cell, md_prose

READER = MarkdownIt("commonmark").enable("table")


def shown(source: str, kind: str = "text") -> str:
    """The text that a reader sees of inline tokens of ``kind``; anything else but text is a failure."""
    found: list[Token] = [inner for token in READER.parse(source) for inner in token.children or ()]
    assert all(token.type in ("text", "text_special", kind) for token in found), [token.type for token in found]
    return "".join(token.content for token in found)


def printable(text: str) -> str:
    """CommonMark replaces nothing but NUL; blanks collapse by our own doing."""
    return " ".join(text.split())


@given(LINES)
def test_text_reads_back(text: str) -> None:
    assert shown(f"The value x{md(text)}x ends.") == f"The value x{printable(text)}x ends."


@given(LINES)
def test_text_at_the_start_of_a_line_stays_a_paragraph(text: str) -> None:
    tokens = READER.parse(str(md(text)))
    assert not tokens or tokens[0].type == "paragraph_open"


@given(LINE.filter(lambda text: text.strip(" \t\x0b\x0c") != ""))
def test_code_reads_back(text: str) -> None:
    blanks = "".join(" " if char in " \t\x0b\x0c" else char for char in text)
    assert shown(f"x{md_code(text)}x", "code_inline") == f"x{blanks}x"


@given(LINE.filter(lambda text: text.strip(" \t\x0b\x0c") != ""))
def test_cells_stay_cells(text: str) -> None:
    html = READER.render(f"| a | b |\n|---|---|\n| {md_code_cell(text)} | {md(text)} |\n")
    assert html.count("<td>") == 2
    assert html.count("<code>") == 1


def test_prose_keeps_code_and_escapes_the_rest() -> None:
    html = READER.render(str(md_prose("run `mlpack *x*` <now>, a_b *c*")))
    assert html == "<p>run <code>mlpack *x*</code> &lt;now&gt;, a_b *c*</p>\n"


@given(LINES)
def test_prose_stays_in_its_cell(text: str) -> None:
    html = READER.render(f"| a | b |\n|---|---|\n| {md_prose(text)} | x |\n")
    assert html.count("<td>") == 2
    assert "<em>" not in html
    assert "<a " not in html
