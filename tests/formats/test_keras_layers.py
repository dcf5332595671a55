"""Layers of Keras configurations, followed: what they keep worked out by hand, in elements of four bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.formats.build import DATA

from mlpack.formats import inspect
from mlpack.formats.keras_layers import net_of
from mlpack.formats.live_set import position_bytes, with_layers
from mlpack.model import Architecture

Json = dict[str, Any]
NET = Architecture(family="convolutional", name="net")


def layer(kind: str, name: str, *sources: str, **config: Any) -> Json:
    """A layer as Keras 3 writes it."""
    tensors = [
        {
            "class_name": "__keras_tensor__",
            "config": {"shape": [None], "dtype": "float32", "keras_history": [one, 0, 0]},
        }
        for one in sources
    ]
    nodes: list[Json] = [{"args": tensors if len(tensors) < 2 else [tensors], "kwargs": {}}] if sources else []
    return {"class_name": kind, "config": {"name": name, **config}, "name": name, "inbound_nodes": nodes}


def image(*shape: int | None) -> Json:
    return layer("InputLayer", "x", batch_shape=[None, *shape])


def conv(name: str, source: str, filters: int, **config: Any) -> Json:
    settings = {"filters": filters, "kernel_size": [3, 3], "strides": [1, 1], "padding": "same"} | config
    return layer("Conv2D", name, source, **settings)


def model(*layers: Json) -> Json:
    inner = {"layers": list(layers), "input_layers": [["x", 0, 0]], "output_layers": [[layers[-1]["name"], 0, 0]]}
    return {"class_name": "Functional", "config": inner}


def sums(config: Json) -> tuple[int, int] | None:
    """Live and kept elements for each position."""
    found = with_layers(NET, net_of(json.dumps(config).encode()))
    assert found is not None
    if found.position_bytes is None or found.kept_position_bytes is None:
        return None
    assert found.position_bytes % 4 == found.kept_position_bytes % 4 == 0
    return found.position_bytes // 4, found.kept_position_bytes // 4


def test_a_u_net_in_small() -> None:
    layers = [
        image(None, None, 3),
        conv("a", "x", 8),
        layer("MaxPooling2D", "p", "a", pool_size=[2, 2], strides=[2, 2], padding="valid"),
        conv("b", "p", 16),
        layer("Conv2DTranspose", "u", "b", filters=8, kernel_size=[2, 2], strides=[2, 2], padding="valid"),
        layer("Concatenate", "c", "u", "a", axis=-1),
        conv("d", "c", 4),
    ]
    # x 3, a 8, p 8/4, b 16/4, u 8, c 16, d 4; the most at once: u, a and c
    assert sums(model(*layers)) == (32, 3 + 8 + 2 + 4 + 8 + 16 + 4)


def test_depthwise_and_separable_convolutions_know_their_channels() -> None:
    layers = [
        image(8, 8, 3),
        conv("a", "x", 16),
        layer("DepthwiseConv2D", "b", "a", kernel_size=[3, 3], strides=[2, 2], padding="same", depth_multiplier=2),
        layer("SeparableConv2D", "c", "b", filters=64, kernel_size=[3, 3], strides=[1, 1], padding="same"),
    ]
    # a 16; b 32/4; the first half of c 32/4, then 64/4
    assert sums(model(*layers)) == (8 + 16, 3 + 16 + 8 + 8 + 16)


def test_a_residual_block_with_its_head() -> None:
    layers = [
        image(4, 4, 1),
        layer("ZeroPadding2D", "pad", "x", padding=[[1, 1], [1, 1]]),
        conv("a", "pad", 16, padding="valid"),
        layer("BatchNormalization", "n", "a", axis=-1),
        layer("Activation", "r", "n", activation="relu"),
        layer("Dropout", "drop", "r", rate=0.5),
        conv("b", "drop", 16),
        layer("Add", "sum", "b", "r"),
        layer("GlobalAveragePooling2D", "g", "sum", keepdims=False),
        layer("Reshape", "wide", "g", target_shape=[1, 1, 16]),
        layer("Multiply", "scaled", "sum", "wide"),
        layer("Flatten", "f", "scaled"),
        layer("Dense", "d", "f", units=32),
    ]
    # of 16 positions: padded 36/16 (so 2.25), then a, n, r, b, sum, scaled and f of 16 each; the head is small numbers
    kept = 16 + 36 + 7 * 256 + 16 + 16 + 16 + 32  # g before and after it is flat, its reshaping, the classes
    found = with_layers(NET, net_of(json.dumps(model(*layers)).encode()))
    assert found is not None
    assert found.kept_position_bytes == -(-4 * kept // 16)
    assert found.position_bytes == 4 * 32  # a and n, later r and b


def test_a_model_inside_of_a_model_and_a_layer_that_is_called_twice() -> None:
    inner = model(image(None, None, 4), conv("i", "x", 4)) | {"name": "inner"}
    nodes = [layer("Functional", "inner", source)["inbound_nodes"][0] for source in ("a", "n1")]
    inner["inbound_nodes"] = nodes
    layers = [
        image(8, 8, 2),
        conv("a", "x", 4),
        inner,
        layer("BatchNormalization", "n1", "inner"),
        layer("ReLU", "last", "n1"),
    ]
    second = layers[-1]["inbound_nodes"][0]["args"][0]["config"]
    second["keras_history"] = ["inner", 1, 0]
    # a, the inner convolution, n1, the inner one again, and the last
    assert sums(model(*layers)) == (8, 2 + 5 * 4)


def test_a_chain_as_keras_2_writes_it() -> None:
    settings = {"filters": 8, "kernel_size": [3, 3], "strides": [2, 2], "padding": "same"}
    chain = {
        "class_name": "Sequential",
        "config": {
            "layers": [
                {"class_name": "Conv2D", "config": {"batch_input_shape": [None, 8, 8, 3], **settings}},
                {"class_name": "UpSampling2D", "config": {"size": [2, 2]}},
            ]
        },
    }
    assert sums(chain) == (8 + 2, 3 + 2 + 8)
    graph = {
        "class_name": "Model",
        "config": {
            "layers": [
                {
                    "class_name": "InputLayer",
                    "name": "x",
                    "config": {"batch_input_shape": [None, 8, 8, 3]},
                    "inbound_nodes": [],
                },
                {"class_name": "Conv2D", "name": "a", "config": settings, "inbound_nodes": [[["x", 0, 0, {}]]]},
                {
                    "class_name": "Concatenate",
                    "name": "c",
                    "config": {"axis": 3},
                    "inbound_nodes": [[["a", 0, 0, {}], ["a", 0, 0, {}]]],
                },
            ],
            "input_layers": [["x", 0, 0]],
            "output_layers": [["c", 0, 0]],
        },
    }
    assert sums(graph) == (2 + 4, 3 + 2 + 4)


@pytest.mark.parametrize(
    "config",
    [
        model(image(8, 8, 3), layer("Mystery", "m", "x")),
        model(image(8, 8, 3), conv("a", "x", 8, data_format="channels_first")),
        model(image(8, 8, 3), conv("a", "x", 8, kernel_size=[0, 3])),
        model(image(8, 8, 3), conv("a", "x", 8, strides=[2**40, 1])),
        model(image(8, 8, 3), conv("a", "absent", 8)),
        model(image(128), layer("Dense", "d", "x", units=8)),
        model(image(8, 8, 3), layer("DepthwiseConv2D", "b", "x", kernel_size=[3, 3], depth_multiplier=2**60)),
        {"class_name": "Functional", "config": []},
        {"class_name": "Functional"},
        {},
    ],
)
def test_what_cannot_be_followed_gives_nothing(config: Json) -> None:
    assert sums(config) is None


@pytest.mark.parametrize("text", [b"", b"[", b"null", b"[]", b"3", b"\xff", b"[" * 100_000, b"{" + b" " * 5_000_000])
def test_what_is_no_configuration_gives_nothing(text: bytes) -> None:
    assert net_of(text) is None


def test_models_in_models_cannot_keep_the_reader_busy() -> None:
    """Twelve calls in each of eight levels would be 430 million."""
    config = model(image(8, 8, 3))
    for _ in range(8):
        inner = config | {"name": "inner", "inbound_nodes": [layer("", "", "x")["inbound_nodes"][0]] * 12}
        config = model(image(8, 8, 3), inner)
    assert net_of(json.dumps(config).encode()) is None


@pytest.mark.parametrize(
    "inside",
    [
        layer("Reshape", "big", "x", target_shape=[9] * 60_000),
        layer("ZeroPadding2D", "big", "x", padding=[[1, 1]] * 40_000),
        layer("Concatenate", "big", *["x"] * 5_000, axis=-1),
    ],
)
def test_a_long_list_in_a_layer_that_is_called_a_thousand_times_is_not_copied_as_often(inside: Json) -> None:
    inner = model(image(8, 8, 3), inside) | {"name": "inner"}
    inner["inbound_nodes"] = [layer("", "", "x")["inbound_nodes"][0]] * 1000
    assert net_of(json.dumps(model(image(8, 8, 3), inner)).encode()) is None


def test_layers_in_the_worst_order_cannot_keep_the_reader_busy() -> None:
    layers = [layer("ReLU", str(index), str(index + 1) if index < 4000 else "x") for index in range(4001)]
    assert net_of(json.dumps(model(image(8, 8, 3), *layers)).encode()) is None


def test_a_file_of_weights_and_both_whole_models_tell_the_same() -> None:
    """real/: one net saved as .keras and .h5, and its weights alone, which say nothing of layers."""
    archive, whole, alone = (inspect(Path(DATA / "real" / f"trained.{end}")) for end in ("keras", "h5", "weights.h5"))
    assert archive.architecture is not None
    assert archive.architecture == whole.architecture
    assert archive.architecture.position_bytes is not None
    assert alone.architecture is not None
    assert alone.architecture.position_bytes is None


def test_a_net_without_layers_is_followed_to_nothing() -> None:
    net = net_of(json.dumps(model(image(8, 8, 3))).encode())
    assert net is not None
    assert position_bytes(net) == 12
