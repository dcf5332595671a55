"""A Keras model's configuration (config.json, or the attribute model_config of an .h5 file) as layers for ``live_set``.

Keras names channels last; here they come first, as in ONNX. A layer of a kind that is not known, two inputs, or a
configuration that is not as Keras writes it (2 or 3) end the walk with nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mlpack.formats.keras_kinds import Config, Tensors, UnknownLayerError
from mlpack.formats.live_set import Net
from mlpack.formats.reading import MOST_JSON_VALUES, WHOLE_JSON_BYTES

MOST_LAYERS, MOST_NESTED, MOST_INPUTS = 5_000, 8, 64
MOST_STEPS = 100_000
"""Looks at a layer, whether it can be followed yet: a model inside of another is followed once for each call."""
SAME = frozenset({"Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianNoise"}) | frozenset(
    {"GaussianDropout", "AlphaDropout", "ActivityRegularization", "Identity"}
)
"""Hand their input on while serving."""


def net_of(text: bytes) -> Net | None:
    """The net that the JSON ``text`` describes; None where it is none that can be followed. Raises nothing."""
    if len(text) > WHOLE_JSON_BYTES or text.count(b",") + text.count(b"[") + text.count(b"{") > MOST_JSON_VALUES:
        return None
    try:
        found = _Walk()
        found.model(json.loads(text.decode("utf-8")), [], 0)  # bytes would be guessed as UTF-16 and 32, too
    except (UnknownLayerError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return None
    return found.tensors.net


class _Walk:
    """Follows models, and calls of layers within them."""

    def __init__(self) -> None:
        self.tensors = Tensors()
        self._steps = 0

    def model(self, config: Config, given: Sequence[str], depth: int) -> list[str]:
        """A Sequential or Functional model on the tensors ``given`` (none: its own inputs); its outputs."""
        if depth > MOST_NESTED:
            raise UnknownLayerError
        inner = config["config"]
        if config["class_name"] == "Sequential":
            return self._chain(inner["layers"] if isinstance(inner, dict) else inner, list(given), depth)
        if config["class_name"] not in {"Functional", "Model"}:
            raise UnknownLayerError
        return self._graph(inner, list(given), depth)

    def _chain(self, layers: list[Config], at: list[str], depth: int) -> list[str]:
        for layer in layers:
            if not at and layer["class_name"] != "InputLayer":
                at = [self.tensors.input(layer["config"])]  # Keras 2 may name the shape with the first layer
            if layer["class_name"] != "InputLayer":
                at = self._layer(layer, at, depth)
            elif not at:
                at = [self.tensors.input(layer["config"])]
        return at

    def _graph(self, inner: Config, given: list[str], depth: int) -> list[str]:
        """Layers as soon as their inputs are there; each call of a shared layer is one of its own."""
        made: dict[tuple[str, int], list[str]] = {}
        entries = [key for key, *_ in _keys(inner["input_layers"])]
        waiting = []
        for layer in inner["layers"]:
            name = layer["name"]
            if layer["class_name"] == "InputLayer":
                held = given[entries.index(name)] if given else self.tensors.input(layer["config"])
                made[name, 0] = [held]
            else:
                waiting += [(layer, index, _keys(node)) for index, node in enumerate(layer["inbound_nodes"])]
        if len(waiting) > MOST_LAYERS or any(len(sources) > MOST_INPUTS for *_, sources in waiting):
            raise UnknownLayerError
        while waiting:
            self._step(len(waiting))
            later = []
            for layer, index, sources in waiting:
                if all((name, node) in made for name, node, _ in sources) and sources:
                    inputs = [made[name, node][tensor] for name, node, tensor in sources]
                    made[layer["name"], index] = self._layer(layer, inputs, depth)
                else:
                    later.append((layer, index, sources))
            if len(later) == len(waiting):
                break  # what is left belongs to another model that shares these layers
            waiting = later
        return [made[name, node][tensor] for name, node, tensor in _keys(inner["output_layers"])]

    def _step(self, count: int = 1) -> None:
        self._steps += count
        if self._steps > MOST_STEPS:
            raise UnknownLayerError

    def _layer(self, layer: Config, inputs: list[str], depth: int) -> list[str]:
        """One call of a layer: its outputs."""
        self._step()
        kind, config = str(layer["class_name"]), layer["config"]
        if kind in {"Functional", "Model", "Sequential"}:
            return self.model(layer, inputs, depth + 1)
        if not isinstance(config, dict) or config.get("data_format", "channels_last") != "channels_last":
            raise UnknownLayerError
        if kind in SAME:
            return inputs[:1]
        return [self.tensors.output(kind, config, inputs)]


def _keys(node: Any) -> list[tuple[str, int, int]]:
    """The tensors (layer, call, number) that a node of Keras 2 or 3 names, anywhere inside of it, in order."""
    found: list[tuple[str, int, int]] = []
    _gather(node, found)
    return found


def _gather(node: Any, found: list[tuple[str, int, int]]) -> None:
    if isinstance(node, dict):
        if node.get("class_name") == "__keras_tensor__":
            _gather(node["config"]["keras_history"], found)
            return
        for key in ("args", "kwargs"):
            _gather(node.get(key), found)
        if "args" not in node:
            for value in node.values():
                _gather(value, found)
    elif isinstance(node, list):
        if len(node) in {3, 4} and isinstance(node[0], str) and all(isinstance(one, int) for one in node[1:3]):
            found.append((node[0], node[1], node[2]))
            return
        for one in node:
            _gather(one, found)
    if len(found) > MOST_LAYERS:
        raise UnknownLayerError
