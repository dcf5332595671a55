""".dockerignore: a pattern matches the path it was made from, and nothing else."""

from __future__ import annotations

import re

from hypothesis import given
from tests.quoting.hostile import LINE

from mlpack.quoting.dockerignore import dockerignore


def pattern(line: str) -> str:
    """A line of .dockerignore as the regular expression that moby's patternmatcher makes of it."""
    trimmed = line.strip()
    assert not trimmed.startswith(("!", "#"))
    out, index = "", 0
    while index < len(trimmed):
        char = trimmed[index]
        if char == "\\":
            index += 1
            out += re.escape(trimmed[index])
        elif char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif char in "[]":
            out += char
        else:
            out += re.escape(char)
        index += 1
    return out


@given(LINE.filter(lambda text: text.strip() != ""))
def test_matches_itself_only(path: str) -> None:
    compiled = re.compile(pattern(dockerignore(path)))
    assert compiled.fullmatch(path)
    assert not compiled.fullmatch(path + "x")
    assert not compiled.fullmatch("x" + path)
