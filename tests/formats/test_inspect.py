"""Which format a path is, formats of which only the size is read, and paths that are no model."""

from __future__ import annotations

import gzip
import os
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.formats.build import (
    DATA,
    keras_bytes,
    lightgbm_bytes,
    safetensors_bytes,
    safetensors_header,
    small_gguf,
    torch_bytes,
    zip_bytes,
)

from mlpack.errors import ModelFileError
from mlpack.formats import FORMATS, inspect
from mlpack.runtimes import RUNTIMES

PICKLE = pickle.dumps({"a": 1}, protocol=4)
HDF5 = (DATA / "real" / "newer.h5").read_bytes()
KERAS = (DATA / "real" / "trained.keras").read_bytes()
ONNX = (DATA / "real" / "inside.onnx").read_bytes()
OLD = (DATA / "real" / "before-1.6.pth").read_bytes()
SAFETENSORS = safetensors_bytes(safetensors_header({"a": ("F32", (2,))}))

READ = [
    ("m.safetensors", SAFETENSORS, "safetensors"),
    ("weights", SAFETENSORS, "safetensors"),
    ("m.gguf", small_gguf(), "gguf"),
    ("blob-of-ollama", small_gguf(), "gguf"),
    ("trees.txt", lightgbm_bytes(), "lightgbm"),
    ("m.keras", KERAS, "keras"),
    ("m.h5", HDF5, "hdf5"),
    ("m.onnx", ONNX, "onnx"),
    ("m.pt", torch_bytes(), "pytorch"),
    ("m.PTH", torch_bytes(), "pytorch"),
    ("old.bin", OLD, "pytorch"),
    ("m.joblib", PICKLE, "joblib"),
    ("m.pkl", PICKLE, "pickle"),
]


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("name", "content", "expected"), READ)
def test_each_format_is_recognised(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    info = inspect(write(tmp_path / name, content))
    assert info.format == expected
    assert info.size_bytes == len(content)
    assert info.parameters is not None or any("parameters and dtypes" in reason for reason in info.unknown)


@pytest.mark.parametrize(("name", "content", "expected"), [case for case in READ if case[0].startswith("m.")])
def test_a_folder_with_one_model_is_that_model(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    write(tmp_path / "README.md", b"hello")
    write(tmp_path / name, content)
    assert inspect(tmp_path).format == expected


def test_the_hash_of_a_file_without_a_header_follows_content_and_size(tmp_path: Path) -> None:
    def digest(value: object) -> str:
        return inspect(write(tmp_path / "m.pkl", pickle.dumps(value))).files[0].header_sha256

    assert digest("a") == digest("a")
    assert len({digest("a"), digest("b"), digest("aa")}) == 3


def test_every_format_has_a_runtime() -> None:
    served = {name for runtime in RUNTIMES.values() for name in runtime.FACTS.formats}
    assert served == set(FORMATS)


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress])
def test_compression_is_seen(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    assert inspect(write(tmp_path / "m.joblib", pack(PICKLE))).compressed
    assert not inspect(write(tmp_path / "m.joblib", PICKLE)).compressed


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"

    class Harmful:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
            return os.mkdir, (str(mark),)

    for name in ("m.pkl", "m.joblib"):
        inspect(write(tmp_path / name, pickle.dumps(Harmful())))
    assert not mark.exists()


CUT = [
    ("m.pt", torch_bytes()[:-30], "no directory at its end"),
    ("m.keras", keras_bytes()[:-30], "no directory at its end"),
    ("trees.txt", lightgbm_bytes()[:-60], "is truncated: its trees take"),
]
NOT_THAT = [
    ("m.keras", b"hello, this is text", "is not a zip archive"),
    ("m.pt", b"hello, this is text", "is not a PyTorch file"),
    ("m.h5", b"hello, this is text", "is not an HDF5 file"),
    ("m.onnx", b"hello, this is text", "is not an ONNX model"),
    ("m.joblib", b"hello, this is text", "neither a pickle"),
    ("m.pkl", b"hello, this is text", "neither a pickle"),
    ("m.ubj", b"hello, this is text", "is not an XGBoost model"),
    ("m.ckpt.index", b"hello, this is text", "is not a checkpoint's index"),
    ("m.keras", zip_bytes({"metadata.json": b"{}", "x": b""}), "without Keras' config.json"),
    ("m.pt", zip_bytes({"x/version": b"3"}), "without PyTorch's data.pkl"),
    ("m.lgb", b"hello, this is text", "is not a LightGBM model"),
    ("m.pt", small_gguf(), "is named like pytorch, but its content is gguf"),
    ("m.gguf", torch_bytes(), "is named like gguf, but its content is pytorch"),
    ("m.txt", b"hello, this is text", "is not a model that mlpack knows"),
    ("m.keras", b"", "is empty"),
    ("m.pt", b"version https://git-lfs.github.com/spec/v1\n", "run git lfs pull"),
]


@pytest.mark.parametrize(("name", "content", "message"), [*CUT, *NOT_THAT])
def test_files_that_are_not_what_they_say(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(ModelFileError) as caught:
        inspect(path)
    assert message in str(caught.value)
    assert caught.value.where == str(path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="there is no such file or folder"):
        inspect(tmp_path / "gone.safetensors")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.safetensors")
    with pytest.raises(ModelFileError, match="is not a regular file"):
        inspect(tmp_path / "m.safetensors")


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    write(tmp_path / "notes.txt", b"hello")
    with pytest.raises(ModelFileError, match="holds no model that mlpack knows"):
        inspect(tmp_path)


def test_a_folder_with_two_models_names_them(tmp_path: Path) -> None:
    write(tmp_path / "a.pt", torch_bytes())
    write(tmp_path / "b.gguf", small_gguf())
    with pytest.raises(ModelFileError, match=r"holds 2 models: a.pt, b.gguf"):
        inspect(tmp_path)


def test_a_folder_that_may_be_two_things(tmp_path: Path) -> None:
    write(tmp_path / "saved_model.pb", b"\x08\x01")
    write(tmp_path / "config.json", b"{}")
    write(tmp_path / "model.safetensors", SAFETENSORS)
    with pytest.raises(ModelFileError, match="may be transformers or savedmodel"):
        inspect(tmp_path)
