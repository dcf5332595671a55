"""Python: what is written is what ``ast.literal_eval`` reads."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.quoting.hostile import LINES

from mlpack.quoting.python import python

VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), LINES)


@given(VALUES | st.lists(VALUES))
def test_reads_back(value: object) -> None:
    spelled = python(value)
    assert "\n" not in spelled
    assert ast.literal_eval(spelled) == value


@pytest.mark.parametrize("value", [float("nan"), object(), {"a": 1}])
def test_refuses_what_has_no_literal(value: object) -> None:
    with pytest.raises(TypeError):
        python(value)
