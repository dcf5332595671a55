"""LightGBM's text format: a few lines of header, which name the size of every tree, then the trees."""

from __future__ import annotations

import re
from pathlib import Path

from mlpack.formats.base import FormatFacts
from mlpack.formats.reading import failed, opened, sized_file
from mlpack.model import ModelInfo
from mlpack.units import MIB

FACTS = FormatFacts("lightgbm", (".lgb", ".lgbm"))
HEADER_BYTES = MIB
"""Enough for the sizes of 100,000 trees."""
TREE_SIZES = re.compile(rb"^tree_sizes=([\d ]*)$", re.MULTILINE)
MARK = re.compile(rb"\Atree\r?\nversion=")


def matches(path: Path, head: bytes) -> bool:  # noqa: ARG001 - usually .txt, so the mark decides
    """``tree`` and ``version=`` on the first two lines."""
    return MARK.match(head) is not None


def read(path: Path) -> ModelInfo:
    """Size of the text; the trees' own sizes tell whether all of them are there."""
    with opened(path) as (file, size):
        head = file.read(HEADER_BYTES)
    if not matches(path, head):
        raise failed(path, "is not a LightGBM model: it does not begin with 'tree' and 'version='")
    sizes = TREE_SIZES.search(head)
    if sizes is not None:
        needed = sizes.end() + sum(int(number) for number in sizes[1].split() if len(number) < 20)
        if needed > size:
            what = f"is truncated: its trees take {needed:,} bytes, the file has {size:,}"
            raise failed(path, what, "fetch it again")
    return ModelInfo(
        format=FACTS.name,
        files=(sized_file(path),),
        unknown=("parameters and dtypes (trees are text; only their size is read)",),
    )
