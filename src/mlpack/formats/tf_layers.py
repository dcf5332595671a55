"""What the outputs of a SavedModel's operations take while it runs: TensorFlow wrote their shapes (``_output_shapes``).

Only outputs with an open batch, or the input's, count: weights have none. Functions are followed one by one, a call
inside of another by its outputs, and the largest set alive in any of them is what serving may need.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod

from mlpack.errors import ModelFileError
from mlpack.formats.live_set import CHANNELS_AT_MOST, ELEMENT_BYTES, LARGEST
from mlpack.formats.protobuf import Field, Walker
from mlpack.formats.tf_graph import (
    FUNCTION,
    FUNCTION_NODE,
    GRAPH_DEF,
    LIBRARY,
    META_GRAPH,
    NODE,
    NODE_ATTRIBUTE,
    NODE_NAME,
    NODE_OPERATION,
)

MOST_FIELDS = 100_000
"""A third of a second; of a MobileNetV2's graph 30,000 are looked at."""
MOST_KEPT = 60_000
"""Operations and their inputs in one function: they bound the memory."""
NODE_INPUT, FUNCTION_SIGNATURE = 3, 1
MOST_INPUTS, MOST_OUTPUTS, MOST_DIMENSIONS, NAME_BYTES = 64, 16, 8, 256
VALUE_LIST, LIST_SHAPE, SHAPE_DIM, DIM_SIZE = 1, 7, 2, 1
SHAPES = b"\n\x0e_output_shapes"
"""A map's entry begins with its key: field 1, 14 bytes. Other attributes are not walked."""
HANDED_ON = frozenset({"Identity", "IdentityN", "StopGradient", "Squeeze", "Reshape", "ExpandDims"})
"""Their output is their input's buffer."""
NO_ACTIVATION = frozenset({"ReadVariableOp", "Const", "DisableCopyOnRead", "AssignVariableOp", "NoOp", "VarHandleOp"})
"""Most of a graph: passed over as soon as the operation is read, which stands before inputs and attributes."""
OVER_INPUT = frozenset({"Relu", "Relu6", "LeakyRelu", "Elu", "Sigmoid", "Tanh", "Swish", "BiasAdd", "Softmax", "Cast"})
BINARY = frozenset(
    {"Mul", "Add", "AddV2", "Sub", "RealDiv", "Maximum", "Minimum", "SquaredDifference", "Rsqrt", "AddN"}
)
"""TensorFlow hands the buffer of an input that nobody else reads to the output of these and of ``OVER_INPUT``."""
Shape = tuple[int, ...]


@dataclass
class _Node:
    name: str = ""
    kind: str = ""
    inputs: list[str] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)


def position_bytes(walker: Walker) -> int | None:
    """Bytes of the largest live set for each position (pixel) of one item, as float32; None: not to be told. Raises
    nothing: what is wrong with the graph is said where its weights are read."""
    walker.left = MOST_FIELDS
    try:
        return _position_bytes(walker)
    except (ModelFileError, LookupError, ValueError, ArithmeticError):
        return None


def _position_bytes(walker: Walker) -> int | None:
    images: set[Shape] = set()
    peak = 0
    for graph in _inside(walker, walker.fields(0, walker.window.size), META_GRAPH, GRAPH_DEF):
        for part in walker.message(graph):
            if part.number == NODE:
                node = _node(walker, part)
                if node.kind == "Placeholder":
                    images |= {shape for shape in node.shapes if len(shape) in {4, 5}}
            elif part.number == LIBRARY:
                for function in walker.message(part):
                    if function.number == FUNCTION:
                        peak = max(peak, _peak(walker, function))
    if len(images) != 1:
        return None
    image = next(iter(images))[1:]
    if min(image) < 1 or image[-1] > CHANNELS_AT_MOST or not peak:
        return None
    return -(-(peak + ELEMENT_BYTES * prod(image)) // prod(image[:-1]))


def _inside(walker: Walker, fields: Iterator[Field], first: int, second: int) -> Iterator[Field]:
    for part in fields:
        if part.number == first and part.wire == 2:
            yield from (inner for inner in walker.message(part) if inner.number == second)


def _peak(walker: Walker, function: Field) -> int:
    """The most bytes alive at once in one function, of one item."""
    nodes: list[_Node] = []
    kept = 0
    for part in walker.message(function):
        if part.number == FUNCTION_NODE:
            nodes.append(_node(walker, part))
            kept += 1 + len(nodes[-1].inputs)
            if kept > MOST_KEPT:
                raise ValueError("too many operations")
        elif part.number == FUNCTION_SIGNATURE and _saves(walker, part):
            return 0
    held: dict[str, str] = {}
    last: dict[str, int] = {}
    for index, node in enumerate(nodes):
        sources = [held.get(name, name) for name in node.inputs]
        held[node.name] = sources[0] if node.kind in HANDED_ON and sources else node.name
        last |= dict.fromkeys((*sources, held[node.name]), index)
    alive: dict[str, int] = {}
    total = peak = 0
    for index, node in enumerate(nodes):
        size = sum(map(_bytes, node.shapes)) if held[node.name] == node.name else 0
        read = dict.fromkeys(held.get(name, name) for name in node.inputs)
        dying = [name for name in (*read, node.name) if last.get(name) == index and name in alive]
        reused = node.kind in OVER_INPUT | BINARY and any(alive[name] == size for name in dying)
        peak = max(peak, total + (0 if reused else size))
        if last[held[node.name]] > index:
            alive[node.name] = alive.get(node.name, 0) + size
            total += size
        for name in dying:
            total -= alive.pop(name)
    return peak


def _saves(walker: Walker, part: Field) -> bool:
    """A function that writes or reads the variables, by its name: a third of the graph."""
    name = next((walker.text(inner, NAME_BYTES) for inner in walker.message(part) if inner.number == 1), "")
    return "_traced_save_" in name or "_traced_restore_" in name


def _bytes(shape: Shape) -> int:
    """Of one item; 0 for what has no batch. Raises ValueError where another dimension is open."""
    if not shape or shape[0] not in {-1, 1}:
        return 0
    if shape[0] == 1 and len(shape) < 4:
        return 0  # a weight's, reshaped
    count = prod(shape[1:])
    if min(shape[1:], default=1) < 0 or count > LARGEST:
        raise ValueError("an open dimension")
    return ELEMENT_BYTES * count


def _node(walker: Walker, part: Field) -> _Node:
    found = _Node()
    for inner in walker.message(part):
        if inner.number == NODE_NAME:
            found.name = walker.text(inner, NAME_BYTES)
        elif inner.number == NODE_OPERATION:
            found.kind = walker.text(inner, NAME_BYTES)
            if found.kind in NO_ACTIVATION:
                return found
        elif inner.number == NODE_INPUT and len(found.inputs) < MOST_INPUTS:
            name = walker.text(inner, NAME_BYTES)
            if not name.startswith("^"):
                found.inputs.append(name.partition(":")[0])
        elif inner.number == NODE_ATTRIBUTE:
            found.shapes += _shapes(walker, inner)[: MOST_OUTPUTS - len(found.shapes)]
    return found


def _shapes(walker: Walker, part: Field) -> list[Shape]:
    """The shapes in a node's attribute, where it is ``_output_shapes``."""
    found: list[Shape] = []
    if part.size < len(SHAPES) or walker.window.at(part.place, len(SHAPES)) != SHAPES:
        return found
    for entry in walker.message(part):
        if entry.number == 2:
            for shape in _inside(walker, walker.message(entry), VALUE_LIST, LIST_SHAPE):
                if len(found) < MOST_OUTPUTS:
                    found.append(_shape(walker, shape))
    return found


def _shape(walker: Walker, part: Field) -> Shape:
    sizes: list[int] = []
    for dim in walker.message(part):
        if dim.number == SHAPE_DIM and len(sizes) < MOST_DIMENSIONS:
            found = [one.value for one in walker.message(dim) if one.number == DIM_SIZE and one.wire == 0]
            sizes.append((found[0] - 2**64 if found[0] >= 2**63 else found[0]) if found else 0)
    return tuple(sizes)
