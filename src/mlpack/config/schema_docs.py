"""What a schema says beside types: every noun below another one, and the docstrings of their fields."""

from __future__ import annotations

import ast
import inspect
import itertools
from functools import cache
from textwrap import dedent
from typing import Any, get_args

from mlpack.noun import Noun


@cache
def docstrings(noun: type[Noun]) -> dict[str, str]:
    """Field -> the docstring below it in the source; pydantic would read it too, at the price of a slower start."""
    try:
        (tree,) = ast.parse(dedent(inspect.getsource(noun))).body
    except (OSError, SyntaxError, ValueError):  # no source beside the package: schemas without descriptions
        return {}
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    return {
        field.target.id: inspect.cleandoc(said.value.value)
        for field, said in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(said, ast.Expr)
        and isinstance(said.value, ast.Constant)
        and isinstance(said.value.value, str)
    }


@cache
def nouns_below(root: type[Noun]) -> dict[str, type[Noun]]:
    """Every noun below ``root`` by its name, ``root`` included."""
    found: dict[str, type[Noun]] = {}

    def visit(kind: Any) -> None:
        if isinstance(kind, type) and issubclass(kind, Noun) and kind.__name__ not in found:
            found[kind.__name__] = kind
            for info in kind.model_fields.values():
                visit(info.annotation)
        for argument in get_args(kind):
            visit(argument)

    visit(root)
    return found
