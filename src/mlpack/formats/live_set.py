"""What the outputs of a net's layers take while it runs, by its graph: the largest set that is alive at once. Pure.

Shapes are followed through the layers that vision nets are made of, one item at a time. A layer whose output cannot be
told, before a layer that needs to know it, ends the walk with nothing: then the caller plans by a measured net.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from mlpack.model import Architecture

Shape = tuple[int, ...]
ELEMENT_BYTES = 4
UNTOLD_SIDE = 256
"""Stands for a height or width that the graph leaves open; the result is per position."""
CHANNELS_AT_MOST = 4
LARGEST = 2**40
STRUCTURED = frozenset({"Loop", "Scan", "If", "LSTM", "GRU", "RNN", "SequenceMap"})
"""Their bodies run an unknown number of times, or keep states."""
POOLS = frozenset({"MaxPool", "AveragePool", "LpPool"})
GLOBAL = frozenset({"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"})
NOT_REUSING = (
    frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "Concat", "Transpose", "Resize", "Upsample", "Normalised"})
    | POOLS
)
"""All others may write their result over an input that nobody reads afterwards."""


@dataclass
class Layer:
    """One operation as ONNX names it. ``numbers``: its integer attributes, single ones as lists of one."""

    kind: str
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    numbers: dict[str, list[int]] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)


@dataclass
class Net:
    """A graph: layers in the order they run, inputs with their shapes (0: open), and the tensors that it carries.
    ``values``: what small ones hold."""

    layers: list[Layer] = field(default_factory=list)
    inputs: dict[str, Shape] = field(default_factory=dict)
    weights: dict[str, Shape] = field(default_factory=dict)
    values: dict[str, list[float]] = field(default_factory=dict)


def position_bytes(net: Net) -> int | None:
    """Bytes of the largest live set for each input position (pixel) of one item, as float32; None: not to be told."""
    found = _per_position(net)
    return None if found is None else found[0]


def with_layers(found: Architecture | None, net: Net | None, *, kept: bool = True) -> Architecture | None:
    """``found`` with what the layers of ``net`` take, where both are known; ``kept``: of all of them together, too."""
    sums = _per_position(net) if found is not None and net is not None else None
    if found is None or sums is None:
        return found
    more = {"position_bytes": sums[0]} | ({"kept_position_bytes": sums[1]} if kept else {})
    return found.model_copy(update=more)


def _per_position(net: Net) -> tuple[int, int] | None:
    """The largest live set, and all outputs together: what stays where nothing is let go before the last layer."""
    images = {name: shape for name, shape in net.inputs.items() if name not in net.weights}
    if len(images) != 1:
        return None
    name, shape = next(iter(images.items()))
    if len(shape) not in {4, 5}:
        return None
    shape = (1, *(size or UNTOLD_SIDE for size in shape[1:]))
    if shape[1] > CHANNELS_AT_MOST and shape[-1] > CHANNELS_AT_MOST:
        return None  # which dimension is the channels'?
    positions = prod(shape[2:]) if shape[1] <= CHANNELS_AT_MOST else prod(shape[1:-1])
    try:
        sums = _sums(net, {name: shape})
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None
    return None if sums is None else (-(-sums[0] // positions), -(-sums[1] // positions))


def _sums(net: Net, shapes: dict[str, Shape]) -> tuple[int, int] | None:
    """The most bytes alive at once, and those of all outputs. Raises LookupError or ValueError where a layer is not as
    it should be."""
    last = {name: index for index, layer in enumerate(net.layers) for name in layer.inputs}
    alive = {name: _bytes(shape) for name, shape in shapes.items()}
    peak = total = kept = sum(alive.values())
    for index, layer in enumerate(net.layers):
        if layer.kind in STRUCTURED:
            return None
        made = _output(layer, net, shapes)
        if made is not None and (any(size < 0 for size in made) or prod(made) > LARGEST):
            return None
        dying = [name for name in dict.fromkeys(layer.inputs) if last[name] == index and name in alive]
        for number, name in enumerate(layer.outputs if made is not None else ()):
            if name and made is not None and name not in alive:
                shapes[name], alive[name] = made, _bytes(made)
                total += alive[name]
                kept += alive[name]
                reused = layer.kind not in NOT_REUSING and number == 0 and alive[name] in [alive[one] for one in dying]
                peak = max(peak, total - (alive[name] if reused else 0))
        for name in dying:
            total -= alive.pop(name)
    return peak, kept


def _bytes(shape: Shape) -> int:
    return ELEMENT_BYTES * prod(shape)


def _output(layer: Layer, net: Net, shapes: Mapping[str, Shape]) -> Shape | None:
    """The shape of what ``layer`` makes; None where its inputs are not known (numbers about shapes, mostly)."""
    known = {name: shapes.get(name, net.weights.get(name, ())) for name in layer.inputs}
    known = {name: shape for name, shape in known.items() if name in shapes or name in net.weights}
    found = [known[name] for name in layer.inputs if name in shapes]
    if not found:
        return None
    first, kind = found[0], layer.kind
    if kind == "Conv":
        weight = net.weights[layer.inputs[1]]
        return (first[0], weight[0], *_windowed(layer, first[2:], weight[2:]))
    if kind == "ConvTranspose":
        weight = net.weights[layer.inputs[1]]
        return (first[0], weight[1] * layer.numbers.get("group", [1])[0], *_unwindowed(layer, first[2:], weight[2:]))
    if kind in POOLS:
        return (*first[:2], *_windowed(layer, first[2:], layer.numbers["kernel_shape"]))
    if kind in GLOBAL:
        return (*first[:2], *(1 for _ in first[2:]))
    if kind == "Concat":
        axis = layer.numbers["axis"][0] % len(first)
        return (*first[:axis], sum(known[name][axis] for name in layer.inputs), *first[axis + 1 :])
    if kind == "Transpose":
        order = layer.numbers.get("perm") or list(range(len(first)))[::-1]
        return tuple(first[place] for place in order)
    if kind in {"Resize", "Upsample"}:
        return _resized(layer, net, first)
    if kind in {"Gemm", "MatMul"}:
        weight = known[layer.inputs[1]]
        return (*first[:-1], weight[0] if layer.numbers.get("transB", [0])[0] else weight[-1])
    if kind in {"Flatten", "Reshape", "Squeeze", "Unsqueeze"}:
        return _reshaped(layer, net, first)
    if kind.startswith("Reduce"):
        return _reduced(layer, net, first)
    if kind == "Shape":
        return None
    return _broadcast([known[name] for name in layer.inputs if name in known])


def _windowed(layer: Layer, sides: Shape, kernel: Sequence[int]) -> Shape:
    """Sides after a convolution or pooling (ONNX's definition)."""
    count = len(kernel)
    strides, dilations = layer.numbers.get("strides", [1] * count), layer.numbers.get("dilations", [1] * count)
    if layer.words.get("auto_pad", "").startswith("SAME"):
        return tuple(-(-side // stride) for side, stride in zip(sides, strides, strict=True))
    pads = layer.numbers.get("pads", [0] * 2 * count)
    up = layer.numbers.get("ceil_mode", [0])[0]
    return tuple(
        max(1, -(-space // stride) + 1 if up else space // stride + 1)
        for side, stride, dilation, width, before, after in zip(
            sides, strides, dilations, kernel, pads[:count], pads[count:], strict=True
        )
        for space in [side + before + after - dilation * (width - 1) - 1]
    )


def _unwindowed(layer: Layer, sides: Shape, kernel: Sequence[int]) -> Shape:
    """Sides after a transposed convolution."""
    count = len(kernel)
    strides, dilations = layer.numbers.get("strides", [1] * count), layer.numbers.get("dilations", [1] * count)
    if "output_shape" in layer.numbers:
        return tuple(layer.numbers["output_shape"])
    if layer.words.get("auto_pad", "").startswith("SAME"):
        return tuple(side * stride for side, stride in zip(sides, strides, strict=True))
    pads, more = layer.numbers.get("pads", [0] * 2 * count), layer.numbers.get("output_padding", [0] * count)
    return tuple(
        stride * (side - 1) + extra + dilation * (width - 1) + 1 - before - after
        for side, stride, dilation, width, extra, before, after in zip(
            sides, strides, dilations, kernel, more, pads[:count], pads[count:], strict=True
        )
    )


def _resized(layer: Layer, net: Net, shape: Shape) -> Shape:
    """By the scales or sizes that the graph carries. Raises LookupError where they are worked out as it runs."""
    for name in reversed(layer.inputs[1:]):
        numbers = net.values.get(name, [])
        if len(numbers) == len(shape):
            sizes = name == layer.inputs[-1] and len(layer.inputs) > 3
            return tuple(int(n if sizes else n * side) for n, side in zip(numbers, shape, strict=True))
    raise LookupError(layer.kind)


def _reshaped(layer: Layer, net: Net, shape: Shape) -> Shape:
    """The same elements: in the shape that the graph carries, else in one row."""
    count = prod(shape)
    if layer.kind == "Reshape" and len(layer.inputs) > 1 and layer.inputs[1] in net.values:
        wanted = [shape[i] if n == 0 else int(n) for i, n in enumerate(net.values[layer.inputs[1]])]
        known = prod(n for n in wanted if n > 0)
        return tuple(count // known if n < 0 else n for n in wanted)
    return (1, count)


def _reduced(layer: Layer, net: Net, shape: Shape) -> Shape:
    axes = layer.numbers.get("axes")
    if axes is None and len(layer.inputs) > 1:
        axes = [int(number) for number in net.values[layer.inputs[1]]]
    gone = {axis % len(shape) for axis in (range(len(shape)) if axes is None else axes)}
    if layer.numbers.get("keepdims", [1])[0]:
        return tuple(1 if place in gone else size for place, size in enumerate(shape))
    return tuple(size for place, size in enumerate(shape) if place not in gone)


def _broadcast(shapes: Sequence[Shape]) -> Shape:
    """The largest of each dimension, counted from the last: exact for operations element by element."""
    rank = max(len(shape) for shape in shapes)
    padded = [(*[1] * (rank - len(shape)), *shape) for shape in shapes]
    return tuple(max(sizes) for sizes in zip(*padded, strict=True))
