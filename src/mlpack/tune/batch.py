"""A request with another number of items: the longest list of its JSON body, repeated or cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlpack.client.files import Files
from mlpack.client.message import with_files
from mlpack.errors import MlpackError
from mlpack.spec import Expect, Request


def resized(request: Request, batch: int, root: Path) -> Request:
    """``request`` with ``batch`` items, expecting only that it is answered. Raises MlpackError: it carries no list."""
    steps = list(request.steps)
    for index, step in enumerate(steps):
        if step.json_ is None:
            continue
        body = with_files(step.json_, Files(root))
        path = longest_list(body)
        if path is None:
            continue
        steps[index] = step.model_copy(update={"json_": put(body, path, batch), "expect": Expect()})
        return request.model_copy(update={"steps": tuple(steps), "largest": True})
    raise MlpackError(
        "the largest request carries no JSON list to enlarge", hint="tune knows batches as lists of a JSON body only"
    )


def longest_list(value: Any, path: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
    """Where the batch is: the outermost list with the most items; None where there is none. Pure."""
    if isinstance(value, list):
        return path if value else None
    if not isinstance(value, dict):
        return None
    found = [
        (at, below)
        for key, part in value.items()
        if (at := longest_list(part, (*path, key))) is not None
        for below in (_at(value, at[len(path) :]),)
    ]
    return max(found, key=lambda one: len(one[1]))[0] if found else None


def put(value: Any, path: tuple[Any, ...], count: int) -> Any:
    """``value`` with the list at ``path`` made ``count`` items long, by repeating it. Pure."""
    if not path:
        return (value * (count // len(value) + 1))[:count]
    return {**value, path[0]: put(value[path[0]], path[1:], count)}


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value
