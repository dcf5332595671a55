"""safetensors: exact counts from real and hand-made headers, and every way in which a file can be wrong."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from tests.formats.build import DATA, safetensors_bytes, safetensors_header

from mlpack.errors import ModelFileError
from mlpack.formats import inspect

TWO = {"a": ("F32", (3, 5)), "b": ("F16", (7,))}


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_real_header_gives_exact_counts(tmp_path: Path) -> None:
    header = (DATA / "all-minilm-l6-v2.header.json").read_bytes()
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(90_868_376)  # the published file's size; its weights are a hole here
    info = inspect(path)
    assert [(s.dtype, s.parameters, s.bytes) for s in info.dtypes] == [
        ("F32", 22_713_216, 90_852_864),
        ("I64", 512, 4_096),
    ]
    assert info.mappable
    assert info.size_bytes == 90_868_376
    assert info.files[0].path == "model.safetensors"


def test_dtypes_bytes_and_hash_of_the_header(tmp_path: Path) -> None:
    content = safetensors_bytes(safetensors_header(TWO))
    info = inspect(write(tmp_path / "m.safetensors", content))
    assert {s.dtype: (s.parameters, s.bytes) for s in info.dtypes} == {"F32": (15, 60), "F16": (7, 14)}
    assert info.files[0].header_sha256 == hashlib.sha256(content[:-74]).hexdigest()


def test_files_are_named_relative_to_the_root(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    path = write(tmp_path / "weights" / "m.safetensors", safetensors_bytes(safetensors_header(TWO)))
    assert inspect(path, root=tmp_path).files[0].path == "weights/m.safetensors"


def test_mostly_four_dimensional_weights_are_convolutions(tmp_path: Path) -> None:
    net = {"conv": ("F32", (64, 3, 3, 3)), "head": ("F32", (10, 64))}
    info = inspect(write(tmp_path / "m.safetensors", safetensors_bytes(safetensors_header(net))))
    assert info.architecture is not None
    assert info.architecture.family == "convolutional"


def _with(**changes: Any) -> bytes:
    header = safetensors_header(TWO)
    header["b"] |= changes
    return safetensors_bytes(header, 74)


WRONG = {
    "empty": (b"", "is empty"),
    "shorter than its length": (b"\x10\x00", "is truncated"),
    "absurd length": ((2**60).to_bytes(8, "little") + b"{}", "claims"),
    "header cut off": (safetensors_bytes(safetensors_header(TWO))[:50], "is truncated"),
    "weights cut off": (safetensors_bytes(safetensors_header(TWO))[:-1], "is truncated: tensor 'b'"),
    "bytes after the last tensor": (safetensors_bytes(safetensors_header(TWO)) + b"x", "after its last tensor"),
    "not JSON": (safetensors_bytes(b'{"a": oops}', 0), "is not valid JSON"),
    "not text": (safetensors_bytes(b'{"\xff\xfe": 1}', 0), "is not valid JSON"),
    "JSON but no object": (safetensors_bytes(b"[1, 2]", 0), "is not a JSON object"),
    "deep nesting": (safetensors_bytes(b'{"a":' + b"[" * 200_000, 0), "nested too deeply"),
    "duplicate tensor": (
        safetensors_bytes(
            b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
            1,
        ),
        "'a' occurs twice",
    ),
    "overlap": (_with(data_offsets=[46, 60]), "overlaps another"),
    "negative offset": (_with(data_offsets=[-14, 0]), "described wrongly"),
    "offsets reversed": (_with(data_offsets=[74, 60]), "cannot lie at"),
    "shape and size disagree": (_with(shape=[8]), "cannot lie at"),
    "shape not of numbers": (_with(shape=[True]), "described wrongly"),
    "endless shape": (_with(shape=[1] * 1000), "described wrongly"),
    "no dtype": (_with(dtype=None), "described wrongly"),
    "LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
    "another format": (b"GGUF" + bytes(40), "its content is gguf"),
}


def test_the_files_that_the_wrong_ones_are_made_from_are_right(tmp_path: Path) -> None:
    assert inspect(write(tmp_path / "m.safetensors", _with())).parameters == 22


@pytest.mark.parametrize("case", WRONG)
def test_wrong_files_say_what_is_wrong(tmp_path: Path, case: str) -> None:
    content, message = WRONG[case]
    path = write(tmp_path / "m.safetensors", content)
    with pytest.raises(ModelFileError) as caught:
        inspect(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_gap_between_tensors_is_refused(tmp_path: Path) -> None:
    header = safetensors_header(TWO)
    header["b"]["data_offsets"] = [62, 76]
    with pytest.raises(ModelFileError, match="leaves a gap before it"):
        inspect(write(tmp_path / "m.safetensors", safetensors_bytes(header)))


def test_an_unknown_dtype_is_counted_by_its_place(tmp_path: Path) -> None:
    header = {"a": {"dtype": "F5_NEW", "shape": [8], "data_offsets": [0, 5]}}
    info = inspect(write(tmp_path / "m.safetensors", safetensors_bytes(header)))
    assert (info.parameters, info.weights_bytes) == (8, 5)


def sharded(folder: Path, weight_map: dict[str, Any], shards: tuple[str, ...]) -> Path:
    for shard in shards:
        write(folder / shard, safetensors_bytes(safetensors_header(TWO)))
    index = {"metadata": {"total_size": 148}, "weight_map": weight_map}
    return write(folder / "model.safetensors.index.json", json.dumps(index).encode())


def test_shards_are_added_up(tmp_path: Path) -> None:
    names = ("model-1-of-2.safetensors", "model-2-of-2.safetensors")
    index = sharded(tmp_path, {"a": names[0], "b": names[0], "c": names[1]}, names)
    info = inspect(index)
    assert info.parameters == 44
    assert [file.path for file in info.files] == ["model.safetensors.index.json", *names]
    assert inspect(tmp_path) == info


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.safetensors", "names files that are not there: gone.safetensors"),
        ("../outside.safetensors", "not a file of its own folder"),
        ("/etc/passwd", "not a file of its own folder"),
        ("..", "not a file of its own folder"),
        ("a\x00b", "not a file of its own folder"),
        (7, "not a file of its own folder"),
        ("model.safetensors.index.json", "names itself as a file of weights"),
    ],
)
def test_an_index_may_only_name_files_beside_it(tmp_path: Path, name: Any, message: str) -> None:
    (tmp_path / "model").mkdir()
    write(tmp_path / "outside.safetensors", safetensors_bytes(safetensors_header(TWO)))
    index = sharded(tmp_path / "model", {"a": name}, ())
    with pytest.raises(ModelFileError, match=message):
        inspect(index)


def test_an_index_without_a_map(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no weight_map"):
        inspect(write(tmp_path / "model.safetensors.index.json", b'{"metadata": {}}'))


def test_a_huge_sharded_checkpoint_takes_little_memory(tmp_path: Path) -> None:
    """1.6 TB in 160 sparse files: a few megabytes of memory, as only headers are read, one after another."""
    names = tuple(f"model-{part:05d}-of-00160.safetensors" for part in range(160))
    tensors = {f"model.layers.{i}.mlp.experts.down_proj.weight": ("F16", (10_240, 25_600)) for i in range(20)}
    header = json.dumps(safetensors_header(tensors)).encode()
    for name in names:
        with (tmp_path / name).open("wb") as file:
            file.write(len(header).to_bytes(8, "little") + header)
            file.truncate(8 + len(header) + 20 * 10_240 * 25_600 * 2)
    index = sharded(tmp_path, {f"{name}.{t}": name for name in names for t in tensors}, ())
    tracemalloc.start()
    info = inspect(index)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert info.parameters == 160 * 20 * 10_240 * 25_600
    assert info.weights_bytes > 1.5e12
    assert peak < 8 * 2**20


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "m.safetensors", safetensors_bytes(safetensors_header(TWO)))

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)  # root may read everything, so that a mode would prove nothing
    with pytest.raises(ModelFileError, match="no permission to read it"):
        inspect(path)


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "m.safetensors", safetensors_bytes(safetensors_header(TWO)))
    monkeypatch.setattr("mlpack.formats.reading.file_size", lambda _: 10_000_000)
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(ModelFileError, match=r"changes while it is read: .* bytes expected"):
        inspect(path)
