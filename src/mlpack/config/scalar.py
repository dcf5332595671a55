"""What an unquoted YAML scalar means, and which ones YAML 1.1 would twist into something nobody meant."""

from __future__ import annotations

import re
from dataclasses import dataclass

from yaml.resolver import Resolver

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
_TAG = "tag:yaml.org,2002:"
_KINDS = {"bool": "true or false", "int": "another number", "float": "another number", "timestamp": "a date"}


@dataclass(frozen=True)
class Twisted:
    """A scalar that YAML 1.1 reads as ``kind``, though its text says something else: ``yes``, ``12:30``, ``0755``."""

    kind: str


def plain_value(text: str) -> str | int | float | bool | Twisted | None:
    """The value of the unquoted scalar ``text`` where YAML 1.1 and 1.2 agree on it, else Twisted.

    Numbers are decimal; ``true`` and ``false`` are the only truth values.
    """
    kind = _yaml_1_1_kind(text)
    if kind == "null":
        return None
    if kind == "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    if kind in ("float", "str") and _NUMBER.fullmatch(text):
        return float(text)
    if kind in _KINDS:
        return Twisted(_KINDS[kind])
    return text


def read_as(text: str) -> str:
    """What YAML takes the unquoted ``text`` for, in words; for messages about text that is none."""
    value = plain_value(text)
    if isinstance(value, Twisted):
        return value.kind
    if value is None:
        return "nothing"
    return "true or false" if isinstance(value, bool) else f"the number {value}"


def keeps_its_text(value: float, text: str) -> bool:
    """Whether ``text`` is how any program prints ``value`` again: true of ``0.5``, false of ``3.10``."""
    return repr(value) == text


def _yaml_1_1_kind(text: str) -> str:
    """PyYAML's own table of implicit types, which is YAML 1.1's: str, null, bool, int, float, timestamp ..."""
    for tag, pattern in Resolver.yaml_implicit_resolvers.get(text[:1], []):
        if pattern.match(text):
            return str(tag).removeprefix(_TAG)
    return "str"
