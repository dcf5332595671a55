"""Comments stay one line in every file, and never hide what follows."""

from __future__ import annotations

import ast

import yaml
from hypothesis import given
from tests.quoting.hostile import LINES

from mlpack.quoting.comment import comment


@given(LINES)
def test_one_line_everywhere(text: str) -> None:
    line = comment(text)
    assert len(f"# {line}".splitlines()) == 1
    assert not line.endswith("\\")
    assert yaml.safe_load(f"# {line}\na: 1\n") == {"a": 1}
    assert ast.unparse(ast.parse(f"# first line of the file\n\n# {line}\na = 1\n")) == "a = 1"
