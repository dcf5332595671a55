"""Constants in a SavedModel's graph (saved_model.proto): the weights of a frozen model, which has no variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from math import prod

from mlpack.formats.dtypes import merged
from mlpack.formats.protobuf import Field, Walker
from mlpack.formats.reading import failed
from mlpack.formats.tf_bundle import CONVOLUTION_DIMENSIONS, LARGEST, SUMMED_AFTER, TYPES, shape_of
from mlpack.model import DtypeShare
from mlpack.units import KIB

META_GRAPH, GRAPH_DEF, LIBRARY = 2, 2, 2
NODE, NODE_NAME, NODE_OPERATION, NODE_ATTRIBUTE = 1, 1, 2, 5
FUNCTION, FUNCTION_NODE = 1, 3
ATTRIBUTE_TENSOR = 8
VARIABLE_OPERATIONS = frozenset({"VarHandleOp", "Variable", "VariableV2"})
TENSOR_TYPE, TENSOR_SHAPE = 1, 2
MOST_COMPARED = 100_000
COMPARED_BYTES = 4 * KIB
"""Constants of one name and size that begin alike are one: a signature repeats the functions that it calls."""


@dataclass
class Constants:
    """Sums over the constants of all graphs and functions; ``meta_graphs``: how many graphs there are."""

    shares: list[DtypeShare] = field(default_factory=list)
    convolved: int = 0
    meta_graphs: int = 0
    variables: bool = False
    """Some operation reads or makes a variable, whose values are not in the graph."""
    seen: set[bytes] = field(default_factory=set)


def read_constants(walker: Walker) -> Constants:
    """The constants of a SavedModel protocol buffer, the whole of ``walker``'s window."""
    found = Constants()
    for part in walker.fields(0, walker.window.size):
        if part.number != META_GRAPH or part.wire != 2:
            continue
        found.meta_graphs += 1
        for meta in walker.message(part):
            if meta.number == GRAPH_DEF:
                _graph(walker, meta, found)
    return found


def _graph(walker: Walker, part: Field, found: Constants) -> None:
    for inner in walker.message(part):
        if inner.number == NODE:
            _node(walker, inner, found)
        elif inner.number == LIBRARY:
            for function in walker.message(inner):
                if function.number == FUNCTION:
                    for node in walker.message(function):
                        if node.number == FUNCTION_NODE:
                            _node(walker, node, found)


def _node(walker: Walker, part: Field, found: Constants) -> None:
    """A node's operation comes before its attributes, as protocol buffers are written in order."""
    constant, name = False, b""
    for inner in walker.message(part):
        if inner.number == NODE_NAME:
            name = walker.content(inner)
        elif inner.number == NODE_OPERATION:
            operation = walker.text(inner)
            constant = operation == "Const"
            found.variables |= operation in VARIABLE_OPERATIONS
        elif inner.number == NODE_ATTRIBUTE and constant:
            for entry in walker.message(inner):
                if entry.number == 2:  # a map's value
                    for value in walker.message(entry):
                        if value.number == ATTRIBUTE_TENSOR:
                            _tensor(walker, name, value, found)


def _tensor(walker: Walker, name: bytes, part: Field, found: Constants) -> None:
    begun = walker.window.at(part.place, min(part.size, COMPARED_BYTES))
    mark = sha256(b"%b %d " % (name, part.size) + begun).digest()
    if mark in found.seen:
        return
    if len(found.seen) < MOST_COMPARED:
        found.seen.add(mark)
    kind, shape = 0, list[int]()
    for inner in walker.message(part):
        if inner.number == TENSOR_TYPE:
            kind = inner.value
        elif inner.number == TENSOR_SHAPE:
            shape = shape_of(walker, inner)
    if kind not in TYPES:
        return
    if any(size >= LARGEST for size in shape):
        raise failed(walker.window.path, f"has a constant of shape {shape[:8]}", "the file is damaged")
    dtype, bits = TYPES[kind]
    count = prod(shape)
    found.shares.append(DtypeShare(dtype=dtype, parameters=count, bytes=-(-count * bits // 8)))
    if len(shape) >= CONVOLUTION_DIMENSIONS:
        found.convolved += count
    if len(found.shares) > SUMMED_AFTER:
        found.shares = list(merged(found.shares))
