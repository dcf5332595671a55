"""What each kind of Keras' layers makes of its input, in ``live_set``'s terms: channels first, as in ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from mlpack.formats.live_set import Layer, Net

MOST_TENSORS, MOST_SIDES, MOST_DIMENSIONS = 5_000, 3, 8
ELEMENTWISE = frozenset({"Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "Rescaling", "Normalization"})
NORMALISED = frozenset({"BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization"})
MERGED = frozenset({"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"})
Config = dict[str, Any]


class UnknownLayerError(Exception):
    """What cannot be followed."""


class Tensors:
    """Gathers the net. A tensor's name is its number; ``channels``: of each tensor, 0 where it has none of its own."""

    def __init__(self) -> None:
        self.net = Net()
        self._channels: dict[str, int] = {}

    def input(self, config: Config) -> str:
        """An input of the net, by its ``InputLayer``."""
        shape = config.get("batch_shape") or config["batch_input_shape"]
        sizes = [int(size or 0) for size in _few(shape)]
        name = self._name(sizes[-1])
        self.net.inputs[name] = (0, sizes[-1], *sizes[1:-1])
        return name

    def _name(self, channels: int) -> str:
        name = str(len(self._channels))
        self._channels[name] = channels
        if len(self._channels) > MOST_TENSORS:
            raise UnknownLayerError
        return name

    def _add(self, kind: str, inputs: Sequence[str], channels: int, **numbers: list[int]) -> str:
        name = self._name(channels)
        self.net.layers.append(Layer(kind, list(inputs), [name], numbers))
        return name

    def output(self, kind: str, config: Config, inputs: list[str]) -> str:
        """One call of a layer. Raises UnknownLayerError, LookupError, TypeError, ValueError: it cannot be followed."""
        first = self._channels[inputs[0]]
        plain = kind[:-2] if kind[-2:] in {"1D", "2D", "3D"} else kind
        if plain in {"Conv", "Convolution", "DepthwiseConv", "SeparableConv"}:
            return self._convolved(plain, config, inputs[0])
        if plain in {"ConvTranspose", "Conv2DTranspose", "Conv3DTranspose"}:
            return self._convolved("ConvTranspose", config, inputs[0])
        if plain in {"MaxPooling", "AveragePooling", "MaxPool", "AvgPool"}:
            kernel = _sides(config["pool_size"])
            strides = _sides(config.get("strides") or kernel)
            made = self._add("MaxPool", inputs[:1], first, kernel_shape=kernel, strides=strides)
            return self._padded(config, made)
        if plain in {"GlobalAveragePooling", "GlobalMaxPooling", "GlobalAvgPool", "GlobalMaxPool"}:
            made = self._add("GlobalAveragePool", inputs[:1], first)
            return made if config.get("keepdims") else self._add("Flatten", [made], first)
        if plain in {"ZeroPadding", "Cropping"}:
            pads = _pairs(config["padding" if plain == "ZeroPadding" else "cropping"])
            if plain == "Cropping":
                pads = [(-before, -after) for before, after in pads]
            flat = [before for before, _ in pads] + [after for _, after in pads]
            return self._add("MaxPool", inputs[:1], first, kernel_shape=[1] * len(pads), pads=flat)
        if plain == "UpSampling":
            return self._scaled(_sides(config["size"]), inputs[0], first)
        if kind == "Concatenate":
            return self._concatenated(config, inputs)
        if kind == "Dense":
            return self._weighted("Gemm", inputs[0], (1, int(config["units"])), int(config["units"]))
        if kind == "Flatten":
            return self._add("Flatten", inputs[:1], 0)
        if kind == "Reshape":
            return self._reshaped(config, inputs[0])
        if kind in NORMALISED:
            return self._add("Normalised", inputs[:1], first)
        if kind in ELEMENTWISE or kind in MERGED:
            return self._add(kind, inputs, max(self._channels[name] for name in inputs))
        raise UnknownLayerError

    def _convolved(self, plain: str, config: Config, source: str) -> str:
        """A convolution of any kind. A separable one is two: its first keeps the channels."""
        kernel, channels = _sides(config["kernel_size"]), self._channels[source]
        strides = _sides(config.get("strides") or [1] * len(kernel))
        dilations = _sides(config.get("dilation_rate") or [1] * len(kernel))
        each = {"strides": strides, "dilations": dilations}
        if plain in {"DepthwiseConv", "SeparableConv"}:
            filters = channels * int(config.get("depth_multiplier", 1))
            if not filters:
                raise UnknownLayerError
            made = self._padded(config, self._weighted("Conv", source, (filters, 1, *kernel), filters, **each))
            if plain == "DepthwiseConv":
                return made
            wide = int(config["filters"])
            return self._weighted("Conv", made, (wide, 1, *[1] * len(kernel)), wide)
        filters = int(config["filters"])
        shape = (1, filters, *kernel) if plain == "ConvTranspose" else (filters, 1, *kernel)
        return self._padded(config, self._weighted(plain, source, shape, filters, **each))

    def _weighted(self, kind: str, source: str, shape: tuple[int, ...], channels: int, **numbers: list[int]) -> str:
        weight = f"w{len(self._channels)}"
        self.net.weights[weight] = shape
        return self._add("Conv" if kind == "Convolution" else kind, [source, weight], channels, **numbers)

    def _padded(self, config: Config, made: str) -> str:
        """Say of the last layer whether it pads its input."""
        if config.get("padding", "valid") != "valid":
            self.net.layers[-1].words["auto_pad"] = "SAME_UPPER"
        return made

    def _scaled(self, sides: list[int], source: str, channels: int) -> str:
        scales = f"s{len(self._channels)}"
        self.net.values[scales] = [1, 1, *sides]
        return self._add("Resize", [source, "", scales], channels)

    def _concatenated(self, config: Config, inputs: list[str]) -> str:
        axis = int(config.get("axis", -1))
        if axis in {-1, 1} and not all(self._channels[name] for name in inputs):
            return self._add("Concat", inputs, 0, axis=[1])  # flat tensors
        last = axis == -1 or (axis > 0 and axis == max(len(shape) for shape in self.net.inputs.values()) - 1)
        channels = sum(self._channels[name] for name in inputs) if last else self._channels[inputs[0]]
        return self._add("Concat", inputs, channels, axis=[1 if last else axis + 1 if axis > 0 else axis])

    def _reshaped(self, config: Config, source: str) -> str:
        target = [int(size) for size in _few(config["target_shape"])]
        values = f"v{len(self._channels)}"
        self.net.values[values] = [0, target[-1], *target[:-1]]
        return self._add("Reshape", [source, values], max(0, target[-1]))


def _sides(value: Any) -> list[int]:
    """One or several whole numbers above zero, two where one is said for both sides."""
    sides = [int(one) for one in value] if isinstance(value, list) else [int(value)] * 2
    if not 0 < len(sides) <= MOST_SIDES or min(sides) < 1 or prod(sides) > 2**20:
        raise UnknownLayerError
    return sides


def _pairs(value: Any) -> list[tuple[int, int]]:
    """Before and after of each side."""
    sides = _few(value) if isinstance(value, list) else [value, value]
    pairs = [_few(side) if isinstance(side, list) else [side, side] for side in sides]
    return [(int(before), int(after)) for before, after in pairs]


def _few(value: Any) -> list[Any]:
    """A list no longer than a shape may be: one layer may be called thousands of times."""
    if not isinstance(value, list) or len(value) > MOST_DIMENSIONS:
        raise UnknownLayerError
    return value
