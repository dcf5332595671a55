"""ONNX's graph (onnx.proto3): every tensor that it carries, wherever it is, and which operations there are."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

from mlpack.formats.onnx_layers import Layers
from mlpack.formats.protobuf import Field, Walker
from mlpack.formats.reading import failed
from mlpack.model import DtypeShare

TYPES = {  # TensorProto.DataType -> dtype, bits per element
    1: ("F32", 32),
    2: ("U8", 8),
    3: ("I8", 8),
    4: ("U16", 16),
    5: ("I16", 16),
    6: ("I32", 32),
    7: ("I64", 64),
    9: ("BOOL", 8),
    10: ("F16", 16),
    11: ("F64", 64),
    12: ("U32", 32),
    13: ("U64", 64),
    14: ("C64", 64),
    15: ("C128", 128),
    16: ("BF16", 16),
    17: ("F8_E4M3", 8),
    18: ("F8_E4M3FNUZ", 8),
    19: ("F8_E5M2", 8),
    20: ("F8_E5M2FNUZ", 8),
    21: ("U4", 4),
    22: ("I4", 4),
    23: ("F4", 4),
    24: ("F8_E8M0", 8),
}
STRING = 8
MOST_NESTED = 32
MOST_DIMENSIONS = 64
LARGEST = 2**62
MOST_TENSORS = 200_000
MOST_FILES = 5_000
CONVOLUTION_DIMENSIONS = 4
MODEL_IR, MODEL_GRAPH, MODEL_OPSET, MODEL_FUNCTIONS = 1, 7, 8, 25
GRAPH_NODE, GRAPH_INITIALISER, GRAPH_INPUT, GRAPH_SPARSE = 1, 5, 11, 15
NODE_TYPE, NODE_ATTRIBUTE = 4, 5
ATTRIBUTE_TENSOR, ATTRIBUTE_GRAPH, ATTRIBUTE_TENSORS, ATTRIBUTE_GRAPHS, ATTRIBUTE_SPARSE = 5, 6, 10, 11, 22
TENSOR_DIMS, TENSOR_TYPE, TENSOR_NAME, TENSOR_RAW, TENSOR_EXTERNAL, TENSOR_LOCATION = 1, 2, 8, 9, 13, 14


@dataclass
class External:
    """How far into a data file beside the graph its tensors reach."""

    end: int = 0
    tensors: int = 0


@dataclass
class Graph:
    """Sums over a model. ``external``: name of a data file -> what is needed of it."""

    parameters: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    external: dict[str, External] = field(default_factory=dict)
    opset: int | None = None
    tensors: int = 0
    convolved: int = 0
    graphs: int = 0
    strange: int = 0
    sha256: str = ""

    def shares(self) -> tuple[DtypeShare, ...]:
        """Parameters and bytes by dtype."""
        return tuple(
            DtypeShare(dtype=name, parameters=count, bytes=self.sizes[name]) for name, count in self.parameters.items()
        )


class Reader:
    """Reads one ModelProto."""

    def __init__(self, walker: Walker) -> None:
        self.walker, self.graph = walker, Graph()
        self.path: Path = walker.window.path
        self._digest = hashlib.sha256()
        self.layers = Layers(walker)

    def model(self) -> Graph:
        """The whole model. Raises ModelFileError where it is none, or is damaged."""
        for part in self.walker.fields(0, self.walker.window.size):
            if part.number == MODEL_GRAPH:
                self._graph(part, 0)
            elif part.number == MODEL_OPSET:
                self._opset(part)
            elif part.number == MODEL_FUNCTIONS:
                for inner in self.walker.message(part):
                    if inner.number == 7:
                        self._node(inner, 0)
        if self.graph.graphs == 0:
            raise failed(self.path, "is not an ONNX model: it has no graph", "check what was downloaded")
        self.graph.sha256 = self._digest.hexdigest()
        return self.graph

    def _opset(self, part: Field) -> None:
        domain, version = "", None
        for inner in self.walker.message(part):
            if inner.number == 1:
                domain = self.walker.text(inner)
            elif inner.number == 2:
                version = inner.value
        if domain in {"", "ai.onnx"} and version is not None:
            self.graph.opset = version

    def _graph(self, part: Field, depth: int) -> None:
        if depth > MOST_NESTED:
            raise failed(self.path, f"nests graphs more than {MOST_NESTED} deep", "the file is damaged")
        self.graph.graphs += 1
        for inner in self.walker.message(part):
            if inner.number == GRAPH_NODE:
                self._node(inner, depth)
                if depth == 0:
                    self.layers.node(inner)
            elif inner.number == GRAPH_INITIALISER:
                self._tensor(inner)
                if depth == 0:
                    self.layers.tensor(inner)
            elif inner.number == GRAPH_INPUT and depth == 0:
                self.layers.input(inner)
            elif inner.number == GRAPH_SPARSE:
                self._sparse(inner)

    def _node(self, part: Field, depth: int) -> None:
        for inner in self.walker.message(part):
            if inner.number == NODE_TYPE:
                operation = self.walker.text(inner)
                self._digest.update(operation.encode() + b"\n")
                if operation in self.graph.operations or len(self.graph.operations) < 1000:
                    self.graph.operations[operation] += 1
            elif inner.number == NODE_ATTRIBUTE:
                self._attribute(inner, depth)

    def _attribute(self, part: Field, depth: int) -> None:
        for inner in self.walker.message(part):
            if inner.wire != 2:
                continue
            if inner.number in {ATTRIBUTE_TENSOR, ATTRIBUTE_TENSORS}:
                self._tensor(inner)
            elif inner.number in {ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS}:
                self._graph(inner, depth + 1)
            elif inner.number == ATTRIBUTE_SPARSE:
                self._sparse(inner)

    def _sparse(self, part: Field) -> None:
        for inner in self.walker.message(part):
            if inner.number in {1, 2}:  # values and indices are tensors
                self._tensor(inner)

    def _tensor(self, part: Field) -> None:
        shape: list[int] = []
        kind, name, raw, outside, places = 0, "", None, False, dict[str, str]()
        for inner in self.walker.message(part):
            if inner.number == TENSOR_DIMS:
                shape += self.walker.varints(inner)
                if len(shape) > MOST_DIMENSIONS:
                    raise failed(self.path, f"has a tensor of more than {MOST_DIMENSIONS} dimensions", "it is damaged")
            elif inner.number == TENSOR_TYPE:
                kind = inner.value
            elif inner.number == TENSOR_NAME:
                name = self.walker.text(inner)
            elif inner.number == TENSOR_RAW:
                raw = inner.size
            elif inner.number == TENSOR_EXTERNAL:
                key, value = self._pair(inner)
                places[key] = value
            elif inner.number == TENSOR_LOCATION:
                outside = inner.value == 1
        self._count(name, shape, kind, raw, places if outside else None)

    def _pair(self, part: Field) -> tuple[str, str]:
        found = {inner.number: self.walker.text(inner) for inner in self.walker.message(part)}
        return found.get(1, ""), found.get(2, "")

    def _count(self, name: str, shape: list[int], kind: int, raw: int | None, places: dict[str, str] | None) -> None:
        graph = self.graph
        graph.tensors += 1
        if graph.tensors > MOST_TENSORS or any(size >= LARGEST for size in shape):
            raise failed(self.path, f"tensor {name!r} of shape {shape[:8]} cannot be", "the file is damaged")
        self._digest.update(repr((shape, kind, places)).encode())
        if kind not in TYPES:
            graph.strange += kind != STRING
            return
        dtype, bits = TYPES[kind]
        count = prod(shape)
        size = -(-count * bits // 8)
        if places is not None:
            self._outside(name, size, places)
        elif raw is not None and raw != size:
            raise failed(self.path, f"tensor {name!r} of {size:,} bytes has {raw:,}", "the file is damaged")
        graph.parameters[dtype] += count
        graph.sizes[dtype] += size
        if len(shape) >= CONVOLUTION_DIMENSIONS:
            graph.convolved += count

    def _outside(self, name: str, size: int, places: dict[str, str]) -> None:
        """A tensor in a file beside the graph; ``places`` has location, offset and length as ONNX writes them."""
        location = places.get("location", "")
        parts = location.replace("\\", "/").split("/")
        if not location or "\0" in location or parts[0] == "" or ".." in parts or parts[0].endswith(":"):
            what = f"tensor {name!r} is in {location!r}, which is not a file of its own folder"
            raise failed(self.path, what, "do not load this model: it reaches outside of its folder")
        try:
            offset, length = int(places.get("offset") or 0), int(places.get("length") or size)
        except ValueError:
            offset = length = -1
        if offset < 0 or length != size or offset > LARGEST:
            raise failed(
                self.path, f"tensor {name!r} of {size:,} bytes has a wrong place in {location!r}", "it is damaged"
            )
        if len(self.graph.external) > MOST_FILES:
            raise failed(self.path, f"names more than {MOST_FILES:,} data files", "the file is damaged")
        file = self.graph.external.setdefault(location, External())
        file.end = max(file.end, offset + length)
        file.tensors += 1
