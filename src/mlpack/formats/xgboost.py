"""XGBoost: JSON, its binary twin UBJSON, and the binary form before 1.0. Every tree says how many nodes it has.

Parameters are one 32-bit number per node: a split's threshold or a leaf's value.
"""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from mlpack.formats.base import FormatFacts
from mlpack.formats.reading import exactly, failed, head_of, opened, sized_file
from mlpack.model import Architecture, DtypeShare, ModelFile, ModelInfo
from mlpack.units import MIB, show_bytes

FACTS = FormatFacts("xgboost", (".ubj", ".xgb"))
JSON_MARK = re.compile(rb'\A\s*\{\s*"(learner|version)"\s*:')
UBJ_MARK = re.compile(rb"\A\{(?:[LI]\0*\x07|[iU]\x07)(?:learner\{|version\[)")
OLD_MARK = b"binf"
"""What the binary form before 1.0 begins with, where it says so."""
NODES = re.compile(rb'num_nodes(?:"\s*:\s*"|S(?:L.{8}|l.{4}|I.{2}|[iU].))(\d{1,10})(?!\d)', re.DOTALL)
TREES = re.compile(rb'num_trees(?:"\s*:\s*"|S(?:L.{8}|l.{4}|I.{2}|[iU].))(\d{1,10})(?!\d)', re.DOTALL)
MOST_BYTES = 32 * MIB
"""Read at most: the counts are spread over the file."""
FLOAT_BYTES = 4
MOST_TREES = 1_000_000


def matches(path: Path, head: bytes) -> bool:  # noqa: ARG001 - the mark is enough
    """The first key of an XGBoost object, or the old form's mark."""
    return JSON_MARK.match(head) is not None or UBJ_MARK.match(head) is not None or head.startswith(OLD_MARK)


def read(path: Path) -> ModelInfo:
    """Nodes of all trees."""
    head = head_of(path)
    if not matches(path, head):
        raise failed(path, "is not an XGBoost model: neither its JSON nor its UBJSON", "check what was downloaded")
    file = sized_file(path)
    if head.startswith(OLD_MARK):
        return _unknown(file, "the binary form before XGBoost 1.0 is not read: save it as UBJSON")
    if file.size_bytes > MOST_BYTES:
        return _unknown(file, f"only files of up to {show_bytes(MOST_BYTES)} are looked through")
    with opened(path) as (source, size):
        content = exactly(source, size, path)
    said = TREES.search(content)
    trees = int(said[1]) if said else None
    total = counted = 0
    for match in islice(NODES.finditer(content), MOST_TREES):
        total, counted = total + int(match[1]), counted + 1
    if trees is None or trees != counted:
        if trees is not None and trees > counted:
            raise failed(path, f"is truncated: it claims {trees:,} trees and has {counted:,}", "fetch it again")
        return _unknown(file, "it is no ensemble of trees")
    return ModelInfo(
        format=FACTS.name,
        files=(file,),
        dtypes=(DtypeShare(dtype="F32", parameters=total, bytes=total * FLOAT_BYTES),),
        architecture=Architecture(family="other", name=f"{trees:,} trees with {total:,} nodes"),
        unknown=("the rest of the trees (features, counts and children of every node are not parameters)",),
    )


def _unknown(file: ModelFile, reason: str) -> ModelInfo:
    return ModelInfo(format=FACTS.name, files=(file,), unknown=(f"parameters and dtypes ({reason})",))
