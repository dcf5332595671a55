"""GGUF: sizes and architecture from the header, split files, and damaged ones."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest
from tests.formats.build import SMOLLM2, gguf_bytes, gguf_text, small_gguf

from mlpack.errors import ModelFileError
from mlpack.formats import inspect
from mlpack.formats.gguf import architecture_of
from mlpack.formats.gguf_header import Value

TENSORS = {"blk.0.w": (3, (64, 32), 1280), "blk.0.n": (0, (64,), 256)}


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_tensors_and_architecture(tmp_path: Path) -> None:
    info = inspect(write(tmp_path / "m.gguf", small_gguf()))
    assert {s.dtype: (s.parameters, s.bytes) for s in info.dtypes} == {"Q4_1": (2048, 1280), "F32": (64, 256)}
    assert info.mappable
    assert info.unknown == ()
    found = info.architecture
    assert found is not None
    assert (found.family, found.name) == ("decoder", "llama")
    assert (found.layers, found.heads, found.kv_heads, found.head_dim) == (30, 9, 3, 64)
    assert (found.hidden_size, found.intermediate_size, found.context_tokens) == (576, 1536, 8192)
    assert found.vocabulary == 49152


def test_the_hash_covers_the_header_and_nothing_of_the_weights(tmp_path: Path) -> None:
    content = small_gguf()
    one = inspect(write(tmp_path / "m.gguf", content)).files[0]
    other = inspect(write(tmp_path / "m.gguf", content[:-4] + b"\x01\x02\x03\x04")).files[0]
    assert one.header_sha256 == other.header_sha256 == hashlib.sha256(LAST).hexdigest()


def test_a_long_vocabulary_is_counted_and_passed_over(tmp_path: Path) -> None:
    words = {"general.architecture": "llama", "tokenizer.ggml.tokens": [f"word{i}" * 9 for i in range(40_000)]}
    info = inspect(write(tmp_path / "m.gguf", gguf_bytes(words, TENSORS)))
    assert info.architecture is not None
    assert info.architecture.vocabulary == 40_000


def test_sizes_that_vary_by_layer_give_the_largest() -> None:
    values: dict[str, Value] = {
        "general.architecture": "x",
        "x.attention.head_count": 8,
        "x.attention.head_count_kv": [2, 4, 2],
    }
    found = architecture_of(values, {})
    assert found is not None
    assert found.kv_heads == 4


def test_key_and_value_lengths_of_their_own() -> None:
    values: dict[str, Value] = {
        "general.architecture": "x",
        "x.attention.key_length": 192,
        "x.attention.value_length": 128,
    }
    found = architecture_of(values, {})
    assert found is not None
    assert found.head_dim == 160  # 2 x 160 = 192 + 128


def test_a_sliding_window_makes_the_cache_an_upper_bound(tmp_path: Path) -> None:
    metadata = SMOLLM2 | {"llama.attention.sliding_window": 1024}
    info = inspect(write(tmp_path / "m.gguf", gguf_bytes(metadata, TENSORS)))
    assert any("key/value cache" in reason for reason in info.unknown)


GEMMA = {
    "general.architecture": "gemma3",
    "gemma3.block_count": 12,
    "gemma3.attention.sliding_window": 512,
}


@pytest.mark.parametrize(
    ("pattern", "windowed"),
    [(None, 10), (3, 8), ([True, False] * 6, 6), ([True] * 12, 12), (0, 12), (1, 0), (100, 12)],
)
def test_layers_with_a_window_as_the_file_says(tmp_path: Path, pattern: Value | None, windowed: int) -> None:
    """By default five of six, or the file's own period or list; such a cache is known, so nothing about it is open."""
    metadata = GEMMA if pattern is None else GEMMA | {"gemma3.attention.sliding_window_pattern": pattern}
    info = inspect(write(tmp_path / "m.gguf", gguf_bytes(metadata, TENSORS)))
    assert info.architecture is not None
    assert info.architecture.sliding_layers == windowed
    assert not any("key/value cache" in reason for reason in info.unknown)


def test_a_tensor_type_newer_than_the_table_is_unknown(tmp_path: Path) -> None:
    info = inspect(write(tmp_path / "m.gguf", gguf_bytes(SMOLLM2, {"a": (0, (4,), 16), "b": (99, (4,), 16)})))
    assert info.unknown == ("bytes of tensors of type 99",)


def test_all_parts_of_a_split_model(tmp_path: Path) -> None:
    first = write(tmp_path / "m-00001-of-00002.gguf", small_gguf())
    with pytest.raises(ModelFileError, match=r"m-00002-of-00002.gguf is not there"):
        inspect(first)
    second = write(tmp_path / "m-00002-of-00002.gguf", gguf_bytes({}, {"blk.1.n": (0, (64,), 256)}))
    assert inspect(first) == inspect(second) == inspect(tmp_path)
    assert inspect(first).parameters == 2048 + 64 + 64


HEADER = gguf_bytes(SMOLLM2, TENSORS, data=False)
OFFSET = struct.pack("<IQ", 0, 1280)  # type and offset of the last tensor: what its header ends with
LAST = HEADER[: HEADER.rindex(OFFSET) + len(OFFSET)]
WRONG = {
    "another magic": (b"GGML" + HEADER[4:], "does not begin with GGUF"),
    "version 1": (gguf_bytes(SMOLLM2, TENSORS, version=1), "version 1 GGUF"),
    "big-endian": (gguf_bytes(SMOLLM2, TENSORS, version=3 << 24), "big-endian"),
    "header cut off": (HEADER[:100], "is truncated"),
    "weights cut off": (small_gguf()[:-1], "is truncated: tensor 'blk.0.n'"),
    "absurd counts": (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 1), "claims"),
    "absurd string": (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**62), "is truncated"),
    "absurd array": (
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + gguf_text("a") + struct.pack("<IIQ", 9, 8, 2**62) + bytes(64),
        "is truncated",
    ),
    "array of arrays": (
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + gguf_text("a") + struct.pack("<IIQ", 9, 9, 1) + bytes(64),
        "unknown type 9",
    ),
    "unknown value type": (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + gguf_text("a") + b"\x63\0\0\0", "unknown type 99"),
    "duplicate key": (
        b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + 2 * (gguf_text("a") + struct.pack("<II", 4, 7)),
        "'a' twice",
    ),
    "five dimensions": (gguf_bytes(SMOLLM2, {"a": (0, (1, 1, 1, 1, 1), 4)}), "5 dimensions"),
    "half a block": (gguf_bytes(SMOLLM2, {"a": (3, (33,), 40)}), "not whole blocks of Q4_1"),
    "overlap": (LAST[: -len(OFFSET)] + struct.pack("<IQ", 0, 64) + bytes(4000), "overlaps another"),
    "alignment of zero": (gguf_bytes(SMOLLM2 | {"general.alignment": 0}, TENSORS), "alignment of 0"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_files_say_what_is_wrong(tmp_path: Path, case: str) -> None:
    content, message = WRONG[case]
    path = write(tmp_path / "m.gguf", content)
    with pytest.raises(ModelFileError) as caught:
        inspect(path)
    assert message in str(caught.value)
