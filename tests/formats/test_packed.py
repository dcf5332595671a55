"""Compressed dumps are counted by unpacking them piece by piece; Keras' weights spread over files."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import pickle
import random
import shutil
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.formats.build import DATA

from mlpack.errors import ModelFileError
from mlpack.formats import inspect, packed
from mlpack.model import Architecture, ModelInfo
from mlpack.runtimes import RUNTIMES
from mlpack.spec import Model
from mlpack.units import MIB

INSIDE = pickle.dumps(list(range(200_000)))
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}


@pytest.mark.parametrize("kind", PACKERS)
def test_what_is_inside_is_counted_exactly(tmp_path: Path, kind: str) -> None:
    pack = PACKERS[kind]
    (tmp_path / "m.joblib").write_bytes(pack(INSIDE))
    assert inspect(tmp_path / "m.joblib").unpacked_bytes == len(INSIDE)


def test_what_is_not_compressed_has_nothing_inside(tmp_path: Path) -> None:
    (tmp_path / "m.joblib").write_bytes(INSIDE)
    info = inspect(tmp_path / "m.joblib")
    assert info.unpacked_bytes is None
    assert "unpacked_bytes" not in info.to_json()


@pytest.mark.parametrize("kind", PACKERS)
def test_a_bomb_is_counted_to_the_bound_only_in_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """40 MiB of zeros in 40 KB or less: what is said of the rest is no smaller than it is, or nothing."""
    monkeypatch.setattr(packed, "COUNTED_BYTES", {})
    monkeypatch.setattr(packed, "SLOW_BYTES", 20 * MIB)
    pack = PACKERS[kind]
    (tmp_path / "m.joblib").write_bytes(pack(pickle.dumps(bytes(40 * MIB))))
    tracemalloc.start()
    info = inspect(tmp_path / "m.joblib")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert info.unpacked_bytes is None or (info.extrapolated and info.unpacked_bytes >= 40 * MIB)
    assert peak < 16 * MIB


@pytest.mark.parametrize("kind", PACKERS)
def test_what_is_beyond_the_bound_is_taken_to_be_as_dense(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """4 MB of numbers, of which 1 MiB is counted: within a quarter of the truth, and said."""
    monkeypatch.setattr(packed, "COUNTED_BYTES", {})
    monkeypatch.setattr(packed, "SLOW_BYTES", MIB)
    numbers = random.Random(1)
    inside = pickle.dumps([numbers.randrange(10**9) for _ in range(800_000)])
    (tmp_path / "m.joblib").write_bytes(PACKERS[kind](inside))
    info = inspect(tmp_path / "m.joblib")
    assert info.extrapolated
    assert info.unpacked_bytes is not None
    assert abs(info.unpacked_bytes / len(inside) - 1) < 0.25
    assert any("as dense as the first" in reason for reason in info.unknown)
    sized = RUNTIMES["sklearn"].size("m", Model(path="m"), info)
    assert any("counted in its first part only" in reason for reason in sized.widened)
    assert ModelInfo.model_validate_json(info.to_json()) == info


def test_fields_that_few_models_have_survive_json_and_are_left_out_elsewhere() -> None:
    net = Architecture(family="convolutional", name="net", position_bytes=80)
    info = ModelInfo(format="onnx", files=(), architecture=net, unpacked_bytes=7)
    assert ModelInfo.model_validate_json(info.to_json()) == info
    plain = ModelInfo(format="onnx", files=(), architecture=Architecture(family="other", name="net"))
    assert "position_bytes" not in plain.to_json()


def sharded(folder: Path, names: dict[str, object]) -> Path:
    for shard in ("m_00000.weights.h5", "m_00001.weights.h5"):
        shutil.copyfile(DATA / "real" / "newer.h5", folder / shard)
    index = folder / "m.weights.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": names}))
    return index


def test_keras_weights_spread_over_files(tmp_path: Path) -> None:
    index = sharded(
        tmp_path, {"/layers/a/vars": "m_00000.weights.h5", "/b": ["m_00000.weights.h5", "m_00001.weights.h5"]}
    )
    one = inspect(DATA / "real" / "newer.h5")
    info = inspect(index)
    assert info.format == "hdf5"
    assert [file.path for file in info.files] == ["m.weights.json", "m_00000.weights.h5", "m_00001.weights.h5"]
    assert one.parameters
    assert info.parameters == 2 * one.parameters
    assert inspect(tmp_path) == info


@pytest.mark.parametrize("name", ["absent.weights.h5", "../m_00000.weights.h5", ["m_00000.weights.h5", 7], [["x"]]])
def test_an_index_that_names_what_is_not_there_or_elsewhere(tmp_path: Path, name: object) -> None:
    with pytest.raises(ModelFileError):
        inspect(sharded(tmp_path, {"/a": name}))
