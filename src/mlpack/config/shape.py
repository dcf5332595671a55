"""The keys people write, derived from Spec itself: ``max_body: 8M`` is the field ``max_body_bytes`` = 8388608.

A field whose name ends in a unit is written without it and read by that unit's parser; there is no second list.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from mlpack.noun import Noun
from mlpack.units import parse_bytes, parse_duration, parse_rate


@dataclass(frozen=True)
class Unit:
    """How a quantity is written."""

    name: str
    parse: Callable[[str], float]
    example: str


UNITS = {  # suffix of a field's name -> how people write it; longest suffix first
    "_per_s": Unit("rate", parse_rate, "20/s"),
    "_bytes": Unit("size", parse_bytes, "512M or 8G"),
    "_s": Unit("duration", parse_duration, "90s, 10m or 500ms"),
}


@dataclass(frozen=True)
class Key:
    """One key of a mapping: the Spec's field it fills, what may stand there, and its unit if it has one."""

    field: str
    kind: Any
    unit: Unit | None


@cache
def keys_of(noun: type[Noun]) -> dict[str, Key]:
    """The keys of ``noun`` as written, in the order of its fields."""
    keys = {}
    for name, info in noun.model_fields.items():
        field = info.alias or name
        suffix = next((suffix for suffix in UNITS if field.endswith(suffix)), "")
        keys[field.removesuffix(suffix)] = Key(field, bare(info.annotation), UNITS.get(suffix))
    return keys


def bare(kind: Any) -> Any:
    """``kind`` without Annotated and without ``| None``: constraints are pydantic's, and None is a key left out."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif get_origin(kind) in (Union, types.UnionType):
            (kind,) = [arg for arg in get_args(kind) if arg is not types.NoneType]
        else:
            return kind


def as_written(path: str, noun: type[Noun]) -> str:
    """The dotted ``path`` of fields below ``noun`` with the keys people write: ``services.web.timeout``."""
    kind: Any = noun
    written = []
    for part in path.split("."):
        key = part
        if isinstance(kind, type) and issubclass(kind, Noun):
            key, known = next(
                ((name, known) for name, known in keys_of(kind).items() if known.field == part), (part, None)
            )
            kind = known.kind if known else None
        else:
            kind = bare(get_args(kind)[-1 if get_origin(kind) is dict else 0]) if get_args(kind) else None
        written.append(key)
    return ".".join(written)
