"""Answers against expectations: exact values, matchers, and whatever a hostile server may send."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpack.client.files import Files
from mlpack.client.http import Answer
from mlpack.client.match import match, match_json
from mlpack.errors import MlpackError
from mlpack.spec import Expect

NAN, INF = float("nan"), float("inf")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "vector.json").write_text("[[1.0, 2.0], [3.0, 4.0]]")
    (tmp_path / "answer.json").write_text('{"fields": {"name": "A. Sample", "volume": 12.3}}')
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "answer.txt").write_text("left\r\neye\n")
    np.save(tmp_path / "answer.npy", np.ones(3))
    return Files(tmp_path)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"label": "left"}, {"label": "left", "score": 0.9}),
        ({"a": {"b": None}}, {"a": {"b": None, "c": 1}}),
        (1, 1.0),
        ([1, "x", True, None], [1, "x", True, None]),
        ({"near": 12.3, "within": 0.5}, 12.8),
        ({"near": 12.3, "within": 0.5}, 11.8),
        ({"near": [1, [2, 3]], "within": 0.1}, [1.05, [1.95, 3]]),
        ({"v": [{"near": 1, "within": 0.1}, 2]}, {"v": [1.1, 2]}),
        ({"like": "vector.json", "within": 0.01}, [[1.001, 2], [3, 3.995]]),
        ({"like": "vector.json"}, [[1, 2], [3, 4]]),
        ({"like": "answer.json", "at": "fields", "within": 0.1}, {"name": "A. Sample", "volume": 12.31}),
        ({"cosine_order": [0, 1, 2]}, [[1, 0], [1, 0.1], [0, 1]]),
        ({"cosine_order": [1, 2, 3]}, [[1, 0], [2, 1], [0, 1], [-1, 0]]),
        ({"any": True}, None),
        # other keys beside a matcher's: a plain object that happens to have such a key
        ({"near": 1, "far": 2}, {"near": 1, "far": 2}),
    ],
)
def test_right_answers(files: Files, expected: Any, actual: Any) -> None:
    assert match_json(expected, actual, files) == ()


@pytest.mark.parametrize(
    ("expected", "actual", "says"),
    [
        ({"label": "left"}, {"label": "right"}, "$.label: expected 'left', got 'right'"),
        ({"label": "left"}, {}, "$.label: missing"),
        ({"label": "left"}, [], "$: expected object of 1, got list of 0"),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, "$.a.b[1]: expected 2, got 3"),
        ([1, 2], [1], "$: expected 2 elements, got 1"),
        ([1], [1, 2], "$: expected 1 elements, got 2"),
        (True, 1, "$: expected truth value true, got number 1"),
        (1, True, "$: expected number 1, got truth value true"),
        (0, False, "$: expected number 0, got truth value false"),
        ("1", 1, "$: expected text '1', got number 1"),
        (None, 0, "$: expected null, got number 0"),
        ({"any": True}, ..., None),
        ({"x": {"any": True}}, {}, "$.x: missing"),
        ({"near": 12.3, "within": 0.5}, 12.9, "$: expected 12.3, got 12.9, more than 0.5 apart"),
        ({"near": 12.3, "within": 0.5}, NAN, "$: expected 12.3, got nan, more than 0.5 apart"),
        ({"near": 12.3, "within": 0.5}, INF, "$: expected 12.3, got inf, more than 0.5 apart"),
        pytest.param({"near": 12.3, "within": 0.5}, 10**400, "more than 0.5 apart", id="huge"),
        pytest.param({"near": 12.3, "within": 0.5}, -(10**400), "more than 0.5 apart", id="huge-negative"),
        ({"near": 12.3, "within": 0.5}, "12.3", "$: expected number 12.3, got text '12.3'"),
        ({"near": 12.3, "within": 0.5}, None, "$: expected number 12.3, got null"),
        ({"near": 1, "within": 1}, True, "got truth value true"),
        ({"near": [1, 2], "within": 0.1}, [1], "$: expected 2 elements, got 1"),
        ({"near": 1, "within": -1}, 1, "the expectation is wrong: within must be a number from 0, not -1"),
        ({"near": 1, "within": "x"}, 1, "the expectation is wrong: within must be"),
        ({"like": "vector.json", "within": 0.01}, [[1, 2], [3, 4.02]], "$[1][1]: expected 4.0, got 4.02"),
        ({"like": "vector.json", "within": 0.01}, "x", "$: expected list of 2, got text 'x'"),
        ({"like": "answer.json", "at": "fields.age"}, 1, "answer.json has nothing at fields.age"),
        ({"like": "mask.npy"}, 1, "mask.npy is not a .json file"),
        ({"cosine_order": [0, 1]}, [[1, 0], [1, 0]], "$: row 0 (cosine 1.0000) should be nearer to row 0 than row 1"),
        ({"cosine_order": [1, 2]}, [[1, 0], [0, 1], [1, 0]], "$: row 1 (cosine 0.0000) should be nearer"),
        ({"cosine_order": [1, 2]}, [[1, 0], [1, 0]], "expected a list of at least 3 vectors, got list of 2"),
        ({"cosine_order": [1, 2]}, None, "expected a list of at least 3 vectors"),
        ({"cosine_order": [1, 2]}, [[1, 0], [0, 0], [1, 0]], "$[1]: has no cosine"),
        ({"cosine_order": [1, 2]}, [[1, 0], [NAN, 0], [1, 0]], "$[1]: has no cosine"),
        ({"cosine_order": [1, 2]}, [[1, 0], [1], [1, 0]], "$[1]: has no cosine"),
        ({"cosine_order": [1, 2]}, [[1, 0], ["a", True], [1, 0]], "$[1]: has no cosine"),
        ({"cosine_order": [1]}, [[1], [1]], "the expectation is wrong: cosine_order"),
        ({"cosine_order": [-1, 1]}, [[1], [1]], "the expectation is wrong: cosine_order"),
    ],
)
def test_wrong_answers_say_where_and_what(files: Files, expected: Any, actual: Any, says: str | None) -> None:
    found = match_json(expected, actual, files)
    if says is None:
        assert found == ()
    else:
        assert len(found) == 1
        assert says in found[0]


def test_many_differences_are_summed_up_with_the_largest(files: Files) -> None:
    expected = {"near": [[0.0] * 10, [0.0] * 10], "within": 0.01}
    actual = [[0.5] * 10, [0.5] * 9 + [0.75]]
    assert match_json(expected, actual, files) == (
        "20 numbers differ, most at $[1][9]: expected 0.0, got 0.75, more than 0.01 apart",
    )
    names = dict.fromkeys("abcdef", 1)
    lines = match_json(names, {}, files)
    assert lines == ("$.a: missing", "$.b: missing", "$.c: missing (and 3 more places)")


def test_what_a_server_sends_does_not_reach_the_terminal(files: Files) -> None:
    line = match_json("ok", "\x1b[2J" + "x" * 500, files)[0]
    assert "\x1b" not in line
    assert len(line) < 200


def answer(body: bytes, status: int = 200) -> Answer:
    return Answer(0.1, status, body)


@pytest.mark.parametrize(
    ("expect", "got", "says"),
    [
        (Expect(), answer(b"anything"), None),
        (Expect(status=413), answer(b"", 413), None),
        (Expect(), answer(b"no\x00\x1bmodel\n", 503), "status 503, expected 200: no model"),
        (Expect(), answer(b"", 500), "status 500, expected 200: (empty)"),
        (Expect(), Answer(1.0, broken="timed out: no answer within 1 s"), "timed out: no answer within 1 s"),
        (Expect(json_={"a": 1}), answer(b'{"a": 1}'), None),
        (Expect(json_={"a": 1}), answer(b'{"a": NaN}'), "$.a: expected 1, got nan"),
        (Expect(json_={"a": 1}), answer(b"<html>"), "not JSON"),
        (Expect(json_={"a": 1}), answer(b""), "not JSON"),
        (Expect(json_={"a": 1}), answer(b"\xff\xfe\xfd"), "not JSON"),
        (Expect(json_={"a": 1}), answer(b"[" * 200_000), "not JSON"),
        (Expect(json_={"a": 1}), answer(b"9" * 10_000), "not JSON"),
        (Expect(like="vector.json", within=0.1), answer(b"[[1.05, 2], [3, 4]]"), None),
        (Expect(like="vector.json", within=0.1), answer(b"[[1.5, 2], [3, 4]]"), "$[0][0]: expected 1.0, got 1.5"),
        (Expect(like="answer.txt"), answer(b"left\neye"), None),
        (Expect(like="answer.txt"), answer(b"right eye"), "the text differs from answer.txt: right eye"),
        (Expect(like="answer.npy", iou=0.97), answer(b""), "the answer is not a .npy file"),
        (Expect(like="answer.txt", iou=0.97), answer(b""), "the expectation is wrong: answer.txt is neither"),
    ],
)
def test_whole_answers(files: Files, expect: Expect, got: Answer, says: str | None) -> None:
    found = match(expect, got, files)
    if says is None:
        assert found == ()
    else:
        assert says in found[0]


@pytest.mark.parametrize("path", ["absent.json", "broken.json"])
def test_an_unreadable_reference_is_an_error_of_the_project(files: Files, path: str) -> None:
    with pytest.raises(MlpackError) as caught:
        match_json({"like": path}, 1, files)
    assert caught.value.where == path


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(actual=json_values)
@pytest.mark.parametrize(
    "expected",
    [
        {"near": [1, 2], "within": 0.5},
        {"like": "vector.json"},
        {"cosine_order": [0, 1]},
        {"a": {"b": [1]}},
        [],
        "x",
    ],
)
def test_no_answer_is_an_exception(expected: Any, actual: Any) -> None:
    files = Files(Path("/nonexistent"))
    files.json = lambda _path: [[1.0], [2.0]]  # type: ignore[assignment]
    assert all(isinstance(line, str) for line in match_json(expected, actual, files))


@given(value=st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=8))
def test_a_value_matches_itself_after_a_round_trip(value: Any) -> None:
    assert match_json(value, json.loads(json.dumps(value)), Files(Path("/nonexistent"))) == ()
