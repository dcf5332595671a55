"""A request with another number of items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlpack.errors import MlpackError
from mlpack.spec import Expect, Request, Step
from mlpack.tune.batch import longest_list, put, resized


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ([1, 2], ()),
        ({"texts": ["a", "b"], "k": [1]}, ("texts",)),
        ({"a": {"b": [1, 2, 3]}, "c": [1]}, ("a", "b")),
        ({"a": 1}, None),
        ([], None),
        ("text", None),
    ],
)
def test_where_the_batch_is(body: Any, path: tuple[str, ...] | None) -> None:
    assert longest_list(body) == path


def test_it_is_repeated_or_cut_and_the_rest_stays() -> None:
    body = {"a": {"b": [1, 2, 3], "c": 1}}
    assert put(body, ("a", "b"), 7) == {"a": {"b": [1, 2, 3, 1, 2, 3, 1], "c": 1}}
    assert put(body, ("a", "b"), 2) == {"a": {"b": [1, 2], "c": 1}}
    assert body == {"a": {"b": [1, 2, 3], "c": 1}}


def test_a_request_is_enlarged_and_its_answer_is_no_longer_compared(tmp_path: Path) -> None:
    step = Step(to="web", method="POST", path="/", json_={"texts": ["a"]}, expect=Expect(json_={"y": 1}))
    large = resized(Request(steps=(step,)), 3, tmp_path)
    assert large.largest
    assert large.steps[0].json_ == {"texts": ["a", "a", "a"]}
    assert large.steps[0].expect == Expect()
    with pytest.raises(MlpackError, match="no JSON list"):
        resized(Request(steps=(Step(to="web", path="/"),)), 3, tmp_path)
