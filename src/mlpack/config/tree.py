"""What a YAML file says, before anything is made of it: leaves, branches and rows with their line and layer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

Origin = Literal["default", "profile", "user"]
"""Who set a value: nobody (mlpack's default), a profile, or mlpack.yaml and ``--set``."""


@dataclass(frozen=True)
class Mark:
    """Where something was written and by which layer."""

    where: str
    """``mlpack.yaml:12``, or ``--set``."""
    origin: Origin
    key: str | None = None
    """The key as its writer spelt it, where a short form moved it: ``post`` for a step's ``path``. Empty: no key."""


@dataclass(frozen=True)
class Leaf:
    """A scalar, still text: what it means depends on what is wanted in its place."""

    text: str
    quoted: bool
    mark: Mark
    size: int = 1


@dataclass(frozen=True)
class Branch:
    """A mapping. ``size`` counts every node below, aliases each time they are used."""

    items: dict[str, Tree]
    mark: Mark
    size: int = field(default=1, compare=False)


@dataclass(frozen=True)
class Row:
    """A sequence."""

    items: tuple[Tree, ...]
    mark: Mark
    size: int = field(default=1, compare=False)


Tree: TypeAlias = Leaf | Branch | Row


def written_as(tree: Tree, key: str) -> Tree:
    """``tree`` with its mark saying that its writer spelt its place ``key`` (empty: it has no key)."""
    return replace(tree, mark=replace(tree.mark, key=key))
