"""Compose files: YAML whose values Compose expands afterwards, so that every `$` is doubled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlpack.quoting.quoted import Quoted
from mlpack.quoting.yaml import spell

DIALECT = "compose"


def compose(value: object) -> Quoted:
    """``value`` as in ``yaml``, every `$` of its text doubled. Map keys are not expanded, and stay."""
    return Quoted(spell(_doubled(value)), DIALECT)


def _doubled(value: object) -> object:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {key: _doubled(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_doubled(item) for item in value]
    return value
