"""Columns of usual headers: for every small change of a text they give what JSON gives, or nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlpack.formats import regular
from mlpack.formats.reading import refuse_constant, unique_pairs

HEADER = {
    "a.weight": {"dtype": "F32", "shape": [2, 30], "data_offsets": [0, 240]},
    "é": {"dtype": "BF16", "shape": [], "data_offsets": [240, 242]},
    "b": {"dtype": "F8_E4M3", "shape": [10], "data_offsets": [242, 252]},
}
PUT = ["", " ", '"', "\\", "\n", "\x00", "0", "-", ".", "e", ",", ":", "[", "]", "{", "}", "x", "٣", "_"]


def members(*, compact: bool) -> str:
    separators = (",", ":") if compact else None
    return json.dumps(HEADER, separators=separators, ensure_ascii=False)[1:-1]


def strictly(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(f"{{{text}}}", object_pairs_hook=unique_pairs, parse_constant=refuse_constant)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def as_json(found: regular.Tensors) -> dict[str, Any]:
    rows = zip(found.names, found.dtypes, found.shapes, found.starts, found.ends, strict=True)
    return {
        name: {"dtype": dtype, "shape": found.shape_numbers[shape], "data_offsets": [start, end]}
        for name, dtype, shape, start, end in rows
    }


@pytest.mark.parametrize("compact", [True, False])
def test_usual_headers_are_read(compact: bool) -> None:
    found = regular.tensors(members(compact=compact))
    assert found is not None
    assert as_json(found) == HEADER


@pytest.mark.parametrize("compact", [True, False])
def test_no_change_of_one_character_is_read_otherwise_than_by_json(compact: bool) -> None:
    text = members(compact=compact)
    read = 0
    for at in range(len(text) + 1):
        for put in PUT:
            for cut in (0, 1, 2):
                changed = text[:at] + put + text[at + cut :]
                found = regular.tensors(changed)
                if found is None or len(set(found.names)) < len(found.names):
                    continue
                read += 1
                assert as_json(found) == strictly(changed), changed
    assert read > 100  # other letters in names, other digits: still usual


@pytest.mark.parametrize(
    "text",
    [
        '"a": {"dtype": "U8", "shape": [1], "data_offsets": [0"a", 1]}, "b": {"dtype": "U8", "shape": [1], '
        '"data_offsets": : [1, 2]}',
        '"a":{"dtype":"U8","shape":[01],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}',
        '"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[1,true]}',
        '"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[1,-2]}',
        '"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2]}',
        '"a":{"shape":[1],"dtype":"U8","data_offsets":[0,1]},"b":{"shape":[1],"dtype":"U8","data_offsets":[1,2]}',
        '"' * 21,
        "",
    ],
)
def test_what_is_not_usual_is_left_to_json(text: str) -> None:
    assert regular.tensors(text) is None


@pytest.mark.parametrize("indent", [None, 2])
def test_no_change_of_an_index_is_read_otherwise_than_by_json(indent: int | None) -> None:
    text = json.dumps({"a.weight": "one", "b": "two", "c": "one"}, indent=indent)[1:-1]
    assert regular.values(text) == {"one", "two"}
    for at in range(len(text) + 1):
        for put in PUT:
            for cut in (0, 1, 2):
                changed = text[:at] + put + text[at + cut :]
                found = regular.values(changed)
                if found is not None:
                    pairs = json.loads(f"{{{changed}}}", object_pairs_hook=list)
                    assert found == {value for _, value in pairs}, changed
