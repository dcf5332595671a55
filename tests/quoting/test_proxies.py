"""nginx and Caddy: what is spelled is one parameter, and what no spelling holds is refused. Their own readers: e2e."""

from __future__ import annotations

import pytest
from hypothesis import given
from tests.quoting.hostile import LINE

from mlpack.errors import SpecError
from mlpack.quoting.caddy import caddy
from mlpack.quoting.nginx import nginx


def nginx_reads(text: str) -> str:
    """One parameter as nginx's ngx_conf_read_token takes it."""
    if not text.startswith('"'):
        assert not set(text) & set(" \t;{}\"'\\#")
        return text
    assert text.endswith('"')
    inner, read, index = text[1:-1], "", 0
    while index < len(inner):
        pair = inner[index : index + 2]
        known = {'\\"': '"', "\\'": "'", "\\\\": "\\", "\\t": "\t", "\\r": "\r", "\\n": "\n"}
        assert pair[0] != '"', "an unescaped quote ends the parameter"
        read += known.get(pair, pair[0])
        index += 2 if pair in known else 1
    return read


def caddy_reads(text: str) -> str:
    """One token as Caddy's lexer takes it: in double quotes only `\\"` is an escape, in backquotes nothing is."""
    if text.startswith("`"):
        assert "`" not in text[1:-1]
        return text[1:-1]
    if text.startswith('"'):
        inner = text[1:-1]
        assert '"' not in inner.replace('\\"', "")
        return inner.replace('\\"', '"')
    assert not set(text) & set(" \t\"'`{}#\\")
    return text


@given(LINE)
def test_nginx_reads_back_or_is_refused(text: str) -> None:
    if "$" in text:
        with pytest.raises(SpecError, match="dollar"):
            nginx(text)
    else:
        assert nginx_reads(nginx(text)) == text


@given(LINE)
def test_caddy_reads_back_or_is_refused(text: str) -> None:
    if set(text) & set("{}") or ("\\" in text and "`" in text):
        with pytest.raises(SpecError):
            caddy(text)
    else:
        assert caddy_reads(caddy(text)) == text


@pytest.mark.parametrize("spell", [nginx, caddy])
def test_line_breaks_are_refused(spell: object) -> None:
    assert callable(spell)
    with pytest.raises(SpecError, match="line break"):
        spell("a\nb")
