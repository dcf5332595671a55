"""Dockerfile: an independent reader of ENV, exec form and COPY; the real builder in tests/quoting/test_engine.py."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.quoting.hostile import LINE, LINES

from mlpack.errors import SpecError
from mlpack.quoting.dockerfile import docker_argv, docker_copy, docker_copy_patterns, docker_word


def expand(word: str) -> str:
    """A word as Docker's builder reads it, variables all empty: quotes, backslashes, `$NAME` and `${...}`."""
    out, quote, index = "", "", 0
    while index < len(word):
        char = word[index]
        if quote == "'":
            if char == "'":
                quote = ""
            else:
                out += char
        elif char == "\\":
            after = word[index + 1 : index + 2]
            if quote and after not in ('"', "$", "\\"):
                out += char
            elif after:
                out += after
                index += 1
        elif char == "$":
            match = re.match(r"\$(\{[^}]*\}|\w+|.)?", word[index:])
            assert match is not None
            index += len(match[0]) - 1
        elif char == quote:
            quote = ""
        elif not quote and char in "\"'":
            quote = char
        else:
            out += char
        index += 1
    assert not quote, "an open quote"
    return out


@given(LINE)
def test_word_reads_back(text: str) -> None:
    word = docker_word(text)
    assert expand(word) == text
    assert not word.endswith("\\")


@given(st.lists(LINES))
def test_argv_reads_back_on_one_line(words: list[str]) -> None:
    spelled = docker_argv(words)
    assert "\n" not in spelled
    assert json.loads(spelled) == words


def copied(source: str) -> str | re.Pattern[str]:
    """A COPY source as BuildKit takes it: a name as it stands, or a pattern (`\\` and classes escape)."""
    if not re.search(r"[*?\[]", re.sub(r"\\.", "", source)):
        return source
    return re.compile(re.sub(r"\\(.)|\[(.)\]|(\*)|(.)", _part, source, flags=re.DOTALL))


def _part(match: re.Match[str]) -> str:
    escaped, member, star, plain = match.groups()
    return "[^/]*" if star else re.escape(escaped or member or plain)


@given(LINE)
def test_copy_names_one_file(path: str) -> None:
    source, destination = json.loads(docker_copy([path, path]))
    assert expand(destination) == path
    taken = copied(expand(source))
    assert taken == path if isinstance(taken, str) else taken.fullmatch(path) and not taken.fullmatch(path + "x")


def test_copy_keeps_only_stars_as_patterns() -> None:
    (source, _) = json.loads(docker_copy_patterns(["a[1]?*.txt", "./"]))
    taken = copied(expand(source))
    assert isinstance(taken, re.Pattern)
    assert taken.fullmatch("a[1]?-more.txt")
    assert not taken.fullmatch("a1x.txt")


def test_word_refuses_line_breaks() -> None:
    with pytest.raises(SpecError):
        docker_word("a\nUSER root")
