"""Live sets worked out by hand: what is alive while each layer runs, in elements of four bytes."""

from __future__ import annotations

import pytest

from mlpack.formats.live_set import Layer, Net, Shape, position_bytes

IMAGE: dict[str, Shape] = {"x": (0, 3, 8, 8)}


def conv(source: str, weight: str, out: str, **numbers: list[int]) -> Layer:
    return Layer("Conv", [source, weight], [out], numbers)


def test_two_convolutions_one_after_the_other() -> None:
    net = Net(
        [conv("x", "a", "y", pads=[1, 1, 1, 1]), Layer("Relu", ["y"], ["z"]), conv("z", "b", "w", strides=[2, 2])],
        IMAGE,
        {"a": (16, 3, 3, 3), "b": (4, 16, 3, 3)},
    )
    # x 3 and y 16 per position; Relu writes over y; then z 16 and w: 4 channels of 3 x 3 for 64 positions
    assert position_bytes(net) == 4 * (3 + 16)


def test_a_skipped_connection_stays_alive() -> None:
    layers = [
        conv("x", "a", "y", pads=[1, 1, 1, 1]),
        Layer("MaxPool", ["y"], ["p"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
        conv("p", "b", "q", pads=[1, 1, 1, 1]),
        Layer("Resize", ["q", "", "scales"], ["r"]),
        Layer("Concat", ["y", "r"], ["c"], {"axis": [1]}),
    ]
    net = Net(layers, IMAGE, {"a": (8, 3, 3, 3), "b": (8, 8, 3, 3), "scales": (4,)}, {"scales": [1, 1, 2, 2]})
    assert position_bytes(net) == 4 * (8 + 8 + 16)  # y, r and both together


def test_channels_last_through_a_transpose_and_a_head() -> None:
    layers = [
        Layer("Transpose", ["x"], ["t"], {"perm": [0, 3, 1, 2]}),
        Layer("Conv", ["t", "a"], ["y"], {"strides": [2, 2]}, {"auto_pad": "SAME_UPPER"}),
        Layer("GlobalAveragePool", ["y"], ["g"]),
        Layer("Flatten", ["g"], ["f"]),
        Layer("Gemm", ["f", "d"], ["out"]),
    ]
    net = Net(layers, {"x": (0, 8, 8, 3)}, {"a": (8, 3, 7, 7), "d": (8, 1000)})
    # the transpose's two copies of 192 elements; the classes of the head are few: 1000 + 8 elements in all
    assert position_bytes(net) == -(-4 * (1000 + 8) // 64)
    net.weights["d"] = (8, 10)
    assert position_bytes(net) == 4 * 2 * 3


def test_open_sides_give_the_same_per_position() -> None:
    layers = [conv("x", "a", "y", pads=[1, 1, 1, 1])]
    weights: dict[str, Shape] = {"a": (16, 3, 3, 3)}
    fixed, opened = (Net(layers, {"x": shape}, weights) for shape in ((1, 3, 64, 64), (0, 3, 0, 0)))
    assert position_bytes(fixed) == position_bytes(opened) == 4 * 19


@pytest.mark.parametrize(
    "layers",
    [
        [Layer("Loop", ["x"], ["y"])],
        [Layer("Resize", ["x", "", "worked_out"], ["y"])],
        [conv("x", "absent", "y")],
        [Layer("MaxPool", ["x"], ["y"])],
        [Layer("Transpose", ["x"], ["y"], {"perm": [9, 9, 9, 9]})],
        [conv("x", "a", "y", strides=[0, 0])],
        [conv("x", "a", "y", strides=[1])],
        [Layer("ConvTranspose", ["x", "a"], ["y"], {"strides": [2**62, 2**62]})],
    ],
)
def test_what_cannot_be_followed_gives_nothing(layers: list[Layer]) -> None:
    assert position_bytes(Net(layers, IMAGE, {"a": (8, 3, 3, 3)})) is None


def test_several_images_or_none_give_nothing() -> None:
    layers = [conv("x", "a", "y")]
    weights: dict[str, Shape] = {"a": (8, 3, 3, 3)}
    assert position_bytes(Net(layers, {**IMAGE, "z": (1, 3, 8, 8)}, weights)) is None
    assert position_bytes(Net(layers, {"x": (1, 128)}, weights)) is None
    assert position_bytes(Net(layers, {"x": (1, 128, 64, 64)}, weights)) is None
