"""What else a text service is asked while it is measured: its largest request with the texts cut."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from mlpack.measure.request import RawCall, RawRequest
from mlpack.measure.run import measure
from mlpack.measure.shorter import MOST_BYTES, shorter
from mlpack.measure.subject import Subject
from mlpack.units import MIB


def asked(body: bytes) -> RawRequest:
    return RawRequest("long", "POST", "/analyze", (("Content-Type", "application/json"),), body)


def test_long_texts_are_cut_wherever_they_are_and_nothing_else() -> None:
    value = {"texts": ["ä" * 80, "short"], "options": {"note": "b" * 40, "top": 3, "ids": [1, 2]}}
    made = [json.loads(body) for body in shorter(asked(json.dumps(value).encode()))]
    assert [len(one["texts"][0]) for one in made] == [10, 20, 30, 40, 50, 60, 70]
    assert [len(one["options"]["note"]) for one in made] == [5, 10, 15, 20, 25, 30, 35]
    assert all(one["texts"][1] == "short" and one["options"]["ids"] == [1, 2] for one in made)


@pytest.mark.parametrize("body", [b"", b"knee", b"\xff\xfe", b'{"seed": 0}', b'"' + b"x" * MOST_BYTES + b'"'])
def test_where_there_is_nothing_to_cut(body: bytes) -> None:
    assert shorter(asked(body)) == ()


def test_a_call_is_not_cut() -> None:
    assert shorter(RawCall("tasks:run", ("x" * 100,))) == ()


APP = """
import json, mmap
kept = {{}}
def app(environ, start_response):
    text = json.loads(environ["wsgi.input"].read())["text"]
    if len(text) < {least}:
        start_response("422 Unprocessable", [])
        return [b"too short"]
    if len(text) not in kept:  # as an allocator keeps blocks for each length
        kept[len(text)] = mmap.mmap(-1, 4 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for page in range(0, 4 << 20, 4096):
            kept[len(text)][page] = 1
    start_response("200 OK", [])
    return [b"fine"]
"""


@pytest.mark.slow
@pytest.mark.parametrize(("least", "lengths"), [(0, 8), (300, 6), (1000, 1)])
def test_what_each_length_leaves_is_needed_and_a_refusal_is_none(
    subject: Callable[..., Subject], least: int, lengths: int
) -> None:
    request = asked(json.dumps({"text": "x" * 1000}).encode())
    result = measure(replace(subject(APP.format(least=least)), request=request))
    serving = [r for r in result.footprint.regions if r.stage == "serve" and r.kind == "anonymous"]
    assert abs(sum(r.bytes for r in serving) - lengths * 4 * MIB) < 3 * MIB
    assert not result.footprint.growth_bytes_per_request
