"""Layers into one: mappings merge key by key, everything else is replaced by the later layer.

A service that a later layer leaves empty (``llm: null``) is left out: a profile's way to run without it.
"""

from __future__ import annotations

from mlpack.config.tree import Branch, Leaf, Tree


def merge(under: Tree, over: Tree) -> Tree:
    """``over`` on top of ``under``. ``{from: ...}`` and ``{secret: ...}`` are values, so they are replaced whole."""
    if not isinstance(under, Branch) or not isinstance(over, Branch) or _is_reference(under) or _is_reference(over):
        return over
    items = dict(under.items)
    for key, tree in over.items.items():
        if key in items and _is_service(items[key]) and _is_null(tree):
            del items[key]
        else:
            items[key] = merge(items[key], tree) if key in items else tree
    return Branch(items, under.mark)


def _is_reference(tree: Branch) -> bool:
    return len(tree.items) == 1 and all(
        key in ("from", "secret") and isinstance(value, Leaf) for key, value in tree.items.items()
    )


def _is_service(tree: Tree) -> bool:
    return isinstance(tree, Branch) and "server" in tree.items


def _is_null(tree: Tree) -> bool:
    return isinstance(tree, Leaf) and not tree.quoted and tree.text in ("~", "null")
