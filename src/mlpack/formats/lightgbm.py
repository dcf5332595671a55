"""LightGBM's text format: a few lines of header, which name the size of every tree, then the trees.

Parameters are the numbers that a prediction reads, doubles: a threshold for every split, a value for every leaf.
"""

from __future__ import annotations

import re
from pathlib import Path

from mlpack.formats.base import FormatFacts
from mlpack.formats.reading import failed, sized_file
from mlpack.formats.window import Window, window
from mlpack.model import Architecture, DtypeShare, ModelInfo
from mlpack.units import MIB

FACTS = FormatFacts("lightgbm", (".lgb", ".lgbm"))
HEADER_BYTES = MIB
"""Enough for the sizes of 100,000 trees."""
TREE_SIZES = re.compile(rb"^tree_sizes=([\d ]*)$", re.MULTILINE)
MARK = re.compile(rb"\Atree\r?\nversion=")
TREE = re.compile(rb"\s*Tree=\d+\r?\nnum_leaves=(\d{1,9})\r?\n")
TREE_HEAD_BYTES = 64
BLANK_BYTES = 16
"""Blank lines between header and trees are fewer."""
MOST_TREES = 10_000
"""Trees whose leaves are counted: one page of the file is read for each."""
DOUBLE_BYTES = 8
UNTOLD = "parameters and dtypes (the leaves of its trees are not counted)"


def matches(path: Path, head: bytes) -> bool:  # noqa: ARG001 - usually .txt, so the mark decides
    """``tree`` and ``version=`` on the first two lines."""
    return MARK.match(head) is not None


def read(path: Path) -> ModelInfo:
    """Leaves and splits of all trees; the trees' own sizes tell whether all of them are there."""
    with window(path) as whole:
        head = whole.at(0, min(HEADER_BYTES, whole.size))
        if not matches(path, head):
            raise failed(path, "is not a LightGBM model: it does not begin with 'tree' and 'version='")
        sizes = TREE_SIZES.search(head)
        trees = [int(number) for number in sizes[1].split() if len(number) < 20] if sizes else []
        needed = sum(trees) + (sizes.end() if sizes else 0)
        if needed > whole.size:
            what = f"is truncated: its trees take {needed:,} bytes, the file has {whole.size:,}"
            raise failed(path, what, "fetch it again")
        leaves = _leaves(whole, sizes.end(), trees) if sizes else None
    file = sized_file(path)
    if leaves is None:
        return ModelInfo(format=FACTS.name, files=(file,), unknown=(UNTOLD,))
    numbers = max(0, 2 * leaves - len(trees))
    return ModelInfo(
        format=FACTS.name,
        files=(file,),
        dtypes=(DtypeShare(dtype="F64", parameters=numbers, bytes=numbers * DOUBLE_BYTES),),
        architecture=Architecture(family="other", name=f"{len(trees):,} trees with {leaves:,} leaves"),
        unknown=("the rest of the trees (features, counts and children of every node are not parameters)",),
    )


def _leaves(whole: Window, place: int, trees: list[int]) -> int | None:
    """Leaves of all trees; None where a tree is not where the sizes say, or there are too many to look at."""
    if not trees or len(trees) > MOST_TREES:
        return None
    blank = whole.at(place, min(BLANK_BYTES, whole.size - place))
    place += len(blank) - len(blank.lstrip())
    total = 0
    for size in trees:
        found = TREE.match(whole.at(place, min(TREE_HEAD_BYTES, whole.size - place)))
        if found is None:
            return None
        total += int(found[1])
        place += size
    return total
