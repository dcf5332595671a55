"""Is an answer the expected one? Plain values as in ``compare``; matchers stand in place of values:

- ``{near: 12.3, within: 0.5}``: a number (or list of numbers, element by element) at most 0.5 away;
- ``{like: samples/answer.json, within: 0.001, at: fields.volume}``: the JSON of a project file, or its part at ``at``;
- ``{cosine_order: [1, 2, 3]}``: of a list of vectors, rows 1, 2, 3 are ever less similar to row 0 (cosine);
- ``{any: true}``: whatever there is.

A whole body is compared with a file (``like: samples/mask.png``) by its kind: JSON, text, and pictures and arrays as
``similar`` says.

Whatever a server answers gives lines of text, never an exception.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from mlpack.client import similar
from mlpack.client.compare import Difference, as_float, differences, is_number, show, summary
from mlpack.client.files import Files
from mlpack.client.http import Answer
from mlpack.spec import Expect

MATCHERS = {
    "near": {"near", "within"},
    "like": {"like", "within", "at"},
    "cosine_order": {"cosine_order"},
    "any": {"any"},
}
"""Key -> all keys that a matcher may have; an object with other keys besides is a plain value."""
EXCERPT = 200


def match(expect: Expect, answer: Answer, files: Files) -> tuple[str, ...]:
    """Why ``answer`` is not as expected, a line each; empty if it is. Raises MlpackError for unreadable references."""
    if answer.broken is not None:
        return (answer.broken,)
    if answer.status != expect.status:
        return (f"status {answer.status}, expected {expect.status}: {excerpt(answer.body)}",)
    problems: tuple[str, ...] = ()
    if expect.json_ is not None:
        problems += answer.not_json or match_json(expect.json_, answer.json, files)
    if expect.like is not None:
        problems += _match_file(expect, answer, files)
    return problems


def match_json(expected: Any, actual: Any, files: Files) -> tuple[str, ...]:
    """Why the JSON value ``actual`` is not as ``expected``, a line each; empty if it is."""
    return summary(list(_walk(expected, actual, "$", files)))


def excerpt(body: bytes) -> str:
    """The beginning of ``body`` on one line, without control characters."""
    text = body[: 4 * EXCERPT].decode("utf-8", "replace")
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return (line if len(line) <= EXCERPT else f"{line[:EXCERPT]}...") or "(empty)"


def _walk(expected: Any, actual: Any, at: str, files: Files) -> Iterator[Difference]:
    """``differences``, with matchers at any depth outside of lists' and objects' exact comparison."""
    if isinstance(expected, dict):
        name = next((key for key, allowed in MATCHERS.items() if key in expected and set(expected) <= allowed), None)
        if name is not None:
            yield from _matcher(name, expected, actual, at, files)
            return
        if isinstance(actual, dict):
            for key, value in expected.items():
                if key in actual:
                    yield from _walk(value, actual[key], f"{at}.{key}", files)
                else:
                    yield Difference(f"{at}.{key}", "missing")
            return
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for index, (left, right) in enumerate(zip(expected, actual, strict=True)):
            yield from _walk(left, right, f"{at}[{index}]", files)
        return
    yield from differences(expected, actual, 0.0, at)


def _matcher(name: str, expected: dict[str, Any], actual: Any, at: str, files: Files) -> Iterator[Difference]:
    within = expected.get("within", 0.0)
    if not is_number(within) or not 0 <= within < math.inf:
        yield Difference(at, f"the expectation is wrong: within must be a number from 0, not {show(within)}")
    elif name == "near":
        yield from differences(expected["near"], actual, within, at)
    elif name == "like":
        yield from _like(expected, actual, within, at, files)
    elif name == "cosine_order":
        yield from _cosine_order(expected["cosine_order"], actual, at)


def _like(expected: dict[str, Any], actual: Any, within: float, at: str, files: Files) -> Iterator[Difference]:
    path, part = str(expected["like"]), expected.get("at")
    if PurePosixPath(path).suffix != ".json":
        yield Difference(at, f"the expectation is wrong: {path} is not a .json file")
        return
    reference = files.json(path)
    for key in str(part).split(".") if part is not None else ():
        if not isinstance(reference, dict) or key not in reference:
            yield Difference(at, f"the expectation is wrong: {path} has nothing at {part}")
            return
        reference = reference[key]
    yield from differences(reference, actual, within, at)


def _match_file(expect: Expect, answer: Answer, files: Files) -> tuple[str, ...]:
    path = str(expect.like)
    suffix = PurePosixPath(path).suffix.lower()
    if expect.iou is not None or suffix in {*similar.KINDS, *similar.UNSUPPORTED}:
        reference = files.bytes(path)
        return similar.compare_file(path, reference, answer.body, within=expect.within, iou=expect.iou)
    if suffix == ".json":
        found = differences(files.json(path), answer.json, expect.within or 0.0)
        return answer.not_json or summary(list(found))
    wanted = files.text(path).replace("\r\n", "\n").rstrip("\n")
    got = answer.body.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n")
    return () if wanted == got else (f"the text differs from {path}: {excerpt(answer.body)}",)


def _cosine_order(rows: Any, actual: Any, at: str) -> Iterator[Difference]:
    whole = isinstance(rows, list) and all(isinstance(row, int) and not isinstance(row, bool) for row in rows)
    if not whole or len(rows) < 2 or min(rows) < 0:
        yield Difference(at, f"the expectation is wrong: cosine_order is a list of two rows or more, not {show(rows)}")
        return
    if not isinstance(actual, list) or len(actual) <= max(rows):
        yield Difference(at, f"expected a list of at least {max(rows) + 1} vectors, got {show(actual)}")
        return
    cosines = []
    for row in rows:
        cosine = _cosine(actual[0], actual[row])
        if cosine is None:
            yield Difference(
                f"{at}[{row}]", "has no cosine with row 0: not a vector of its length, zero, or not finite"
            )
            return
        cosines.append(cosine)
    for (first, near), (second, far) in zip(
        list(zip(rows, cosines, strict=True)), list(zip(rows[1:], cosines[1:], strict=True)), strict=False
    ):
        if not near > far:
            words = f"row {first} (cosine {near:.4f}) should be nearer to row 0 than row {second} ({far:.4f})"
            yield Difference(at, words)


def _cosine(left: Any, right: Any) -> float | None:
    """Cosine of two lists of numbers; None where there is none."""
    if not isinstance(left, list) or not isinstance(right, list) or len(left) != len(right):
        return None
    if not all(map(is_number, left)) or not all(map(is_number, right)):
        return None
    a, b = [as_float(x) for x in left], [as_float(x) for x in right]
    norm = math.hypot(*a) * math.hypot(*b)
    cosine = sum(x * y for x, y in zip(a, b, strict=True)) / norm if norm else math.nan
    return cosine if math.isfinite(cosine) else None
