"""ONNX's main graph as layers with their shapes, for ``live_set``: small numbers are kept, weights are not."""

from __future__ import annotations

import struct
from math import prod

from mlpack.formats.live_set import Layer, Net
from mlpack.formats.protobuf import Field, Walker

MOST_LAYERS, MOST_NAMES, NAME_BYTES = 5_000, 64, 256
"""A larger graph is not followed: vision nets have hundreds of layers."""
MOST_KEPT = 50_000
"""Names, attributes and tensors in all: they bound the memory."""
VALUES_BYTES = 64
"""Scales, sizes and shapes have at most eight numbers."""
FLOAT, INT64 = 1, 7
NODE_INPUT, NODE_OUTPUT, NODE_TYPE, NODE_ATTRIBUTE = 1, 2, 4, 5
ATTRIBUTE_NAME, ATTRIBUTE_INT, ATTRIBUTE_WORD, ATTRIBUTE_TENSOR, ATTRIBUTE_INTS = 1, 3, 4, 5, 8
TENSOR_DIMS, TENSOR_TYPE, TENSOR_FLOATS, TENSOR_INTS, TENSOR_NAME, TENSOR_RAW = 1, 2, 4, 7, 8, 9
VALUE_NAME, VALUE_TYPE, TYPE_TENSOR, TENSOR_SHAPE, SHAPE_DIM, DIM_VALUE = 1, 2, 1, 2, 1, 1


class Layers:
    """Gathers a net from the main graph's fields; ``net`` is None once the graph is too large or strange."""

    def __init__(self, walker: Walker) -> None:
        self._walker = walker
        self._kept = 0
        self.net: Net | None = Net()

    def node(self, part: Field) -> None:
        """One operation, in the order they run."""
        if self.net is None:
            return
        layer = Layer("")
        for inner in self._walker.message(part):
            if inner.number in {NODE_INPUT, NODE_OUTPUT}:
                names = layer.inputs if inner.number == NODE_INPUT else layer.outputs
                if inner.size > NAME_BYTES or len(names) >= MOST_NAMES or inner.wire != 2:
                    self.net = None
                    return
                names.append(self._walker.text(inner))
            elif inner.number == NODE_TYPE:
                layer.kind = self._walker.text(inner)
            elif inner.number == NODE_ATTRIBUTE:
                self._attribute(inner, layer)
        self._kept += 1 + len(layer.inputs) + len(layer.outputs) + len(layer.numbers) + len(layer.words)
        if len(self.net.layers) >= MOST_LAYERS or self._kept > MOST_KEPT:
            self.net = None
        elif layer.kind != "Constant":
            self.net.layers.append(layer)

    def tensor(self, part: Field, name: str = "") -> None:
        """A tensor that the graph carries: its shape, and what it holds where that is little."""
        if self.net is None:
            return
        shape: list[int] = []
        kind, raw, numbers = 0, b"", list[float]()
        for inner in self._walker.message(part):
            if inner.number == TENSOR_DIMS:
                shape += self._walker.varints(inner)
            elif inner.number == TENSOR_TYPE:
                kind = inner.value
            elif inner.number == TENSOR_NAME and inner.size <= NAME_BYTES:
                name = name or self._walker.text(inner)
            elif inner.number == TENSOR_RAW and inner.size <= VALUES_BYTES:
                raw = self._walker.content(inner)
            elif inner.number == TENSOR_FLOATS and inner.wire == 2 and inner.size <= VALUES_BYTES:
                numbers += _unpacked(self._walker.content(inner), "f")
            elif inner.number == TENSOR_INTS and (inner.wire == 0 or inner.size <= VALUES_BYTES):
                numbers += [_signed(value) for value in self._walker.varints(inner)]
        if raw and kind in {FLOAT, INT64}:
            numbers = _unpacked(raw, "f" if kind == FLOAT else "q")
        self._kept += 1
        if self._kept > MOST_KEPT:
            self.net = None
            return
        self.net.weights[name] = tuple(shape)
        if numbers and len(numbers) == prod(shape):
            self.net.values[name] = numbers

    def input(self, part: Field) -> None:
        """An input of the graph: its shape, 0 where a dimension is open."""
        if self.net is None:
            return
        self._kept += 1
        name, shape = "", list[int]()
        for inner in self._walker.message(part):
            if inner.number == VALUE_NAME and inner.size <= NAME_BYTES:
                name = self._walker.text(inner)
            elif inner.number == VALUE_TYPE:
                shape = self._shape(inner)
        self.net.inputs[name] = tuple(shape)

    def _shape(self, part: Field) -> list[int]:
        found = list[int]()
        for kind in self._walker.message(part):
            for inner in self._walker.message(kind) if kind.number == TYPE_TENSOR else ():
                for dim in self._walker.message(inner) if inner.number == TENSOR_SHAPE and len(found) < 8 else ():
                    values = [
                        one.value for one in self._walker.message(dim) if one.number == DIM_VALUE and one.wire == 0
                    ]
                    found.append(_signed(values[0]) if values and _signed(values[0]) > 0 else 0)
        return found[:8]

    def _attribute(self, part: Field, layer: Layer) -> None:
        name, numbers, tensor = "", list[int](), None
        for inner in self._walker.message(part):
            if inner.number == ATTRIBUTE_NAME and inner.size <= NAME_BYTES:
                name = self._walker.text(inner)
            elif len(layer.words) + len(layer.numbers) > MOST_NAMES:
                break
            elif inner.number == ATTRIBUTE_WORD and inner.wire == 2 and inner.size <= NAME_BYTES:
                layer.words[name] = self._walker.text(inner)
            elif inner.number == ATTRIBUTE_INT or (inner.number == ATTRIBUTE_INTS and inner.size <= 8 * VALUES_BYTES):
                numbers += [_signed(value) for value in self._walker.varints(inner)][: MOST_NAMES - len(numbers)]
            elif inner.number == ATTRIBUTE_TENSOR:
                tensor = inner
        if numbers:
            layer.numbers[name] = numbers
        if tensor is not None and layer.kind == "Constant" and layer.outputs:
            self.tensor(tensor, layer.outputs[0])


def _signed(value: int) -> int:
    """A varint as the signed 64-bit number that it stands for."""
    return value - 2**64 if value >= 2**63 else value


def _unpacked(data: bytes, kind: str) -> list[float]:
    size = struct.calcsize(kind)
    return [number for (number,) in struct.iter_unpack(f"<{kind}", data[: len(data) // size * size])]
