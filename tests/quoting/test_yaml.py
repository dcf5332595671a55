"""YAML: what is written is what PyYAML (YAML 1.1, the strictest reader) reads back."""

from __future__ import annotations

import pytest
import yaml as reader
from hypothesis import given
from hypothesis import strategies as st
from tests.quoting.hostile import EXAMPLES, LINES

from mlpack.errors import SpecError
from mlpack.quoting.compose import compose
from mlpack.quoting.yaml import yaml

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), LINES)


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(LINES, inner), max_leaves=8))
def test_reads_back(value: object) -> None:
    assert reader.safe_load(f"key: {yaml(value)}\n") == {"key": value}


@pytest.mark.parametrize("text", EXAMPLES)
def test_reads_back_as_text(text: str) -> None:
    assert reader.safe_load(f"- {yaml(text)}\n") == [text]


@pytest.mark.parametrize(
    ("value", "spelled"),
    [("web", "web"), ("no", '"no"'), ("8000", '"8000"'), ("/opt/x-1", "/opt/x-1"), (8000, "8000"), (False, "false")],
)
def test_plain_only_where_no_reader_can_err(value: object, spelled: str) -> None:
    assert yaml(value) == spelled


@given(LINES)
def test_compose_doubles_every_dollar_of_values(text: str) -> None:
    assert reader.safe_load(compose([text, {"$k": text}])) == [text.replace("$", "$$"), {"$k": text.replace("$", "$$")}]


def test_refuses_what_has_several_spellings() -> None:
    with pytest.raises(TypeError):
        yaml(0.5)


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_refuses_what_no_file_can_hold(text: str) -> None:
    with pytest.raises(SpecError):
        yaml(text)
