"""Layers into one: mappings merge key by key, everything else is replaced by the later layer."""

from __future__ import annotations

from mlpack.config.tree import Branch, Leaf, Tree


def merge(under: Tree, over: Tree) -> Tree:
    """``over`` on top of ``under``. ``{from: ...}`` and ``{secret: ...}`` are values, so they are replaced whole."""
    if not isinstance(under, Branch) or not isinstance(over, Branch) or _is_reference(under) or _is_reference(over):
        return over
    items = dict(under.items)
    for key, tree in over.items.items():
        items[key] = merge(items[key], tree) if key in items else tree
    return Branch(items, under.mark)


def _is_reference(tree: Branch) -> bool:
    return len(tree.items) == 1 and all(
        key in ("from", "secret") and isinstance(value, Leaf) for key, value in tree.items.items()
    )
