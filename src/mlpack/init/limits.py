"""The largest input the code lets in, where it says so: items of one request, tokens of one item, bytes of a body."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from mlpack.init.code import Module, keyword

_LISTS = ("list", "List", "typing.List", "Sequence", "typing.Sequence", "collections.abc.Sequence")
_BOUNDS = ("max_length", "max_items")


@dataclass(frozen=True)
class Limit:
    """A number and the line it was read from."""

    value: int
    where: str


def batch_limit(modules: Sequence[Module]) -> Limit | None:
    """Items one request may carry: the only bounded list among the fields of pydantic models. None where unsure."""
    found: list[Limit] = []
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef) and any(module.dotted(base).endswith("BaseModel") for base in node.bases):
                fields = [field for field in node.body if isinstance(field, ast.AnnAssign)]
                found.extend(limit for field in fields if (limit := _list_bound(module, field)) is not None)
    return _only(found)


def token_limit(modules: Sequence[Module]) -> Limit | None:
    """Tokens one text is cut to: ``max_length`` of the calls that say ``truncation=True``. None where unsure."""
    found: list[Limit] = []
    for module in modules:
        for call in module.calls():
            cut = keyword(call, "truncation")
            number = module.number(keyword(call, "max_length"))
            if isinstance(cut, ast.Constant) and cut.value is True and number is not None and number > 0:
                found.append(Limit(number, module.where(call)))
    return _only(found)


def _list_bound(module: Module, field: ast.AnnAssign) -> Limit | None:
    annotation: ast.expr = field.annotation
    calls = [field.value]
    if isinstance(annotation, ast.Call) and module.dotted(annotation.func).endswith("conlist"):
        return _bound(module, [annotation], field)
    if isinstance(annotation, ast.Subscript) and module.dotted(annotation.value).endswith("Annotated"):
        parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        annotation, calls = parts[0], [*calls, *parts[1:]]
    if isinstance(annotation, ast.Subscript) and module.dotted(annotation.value) in _LISTS:
        return _bound(module, calls, field)
    return None


def _bound(module: Module, calls: Sequence[ast.expr | None], field: ast.AnnAssign) -> Limit | None:
    for call in calls:
        number = module.number(keyword(call, *_BOUNDS)) if isinstance(call, ast.Call) else None
        if number is not None and number > 0:
            return Limit(number, module.where(field))
    return None


def _only(found: Sequence[Limit]) -> Limit | None:
    """The limit that all of ``found`` agree on."""
    return found[0] if len({limit.value for limit in found}) == 1 else None
