"""Readers on damaged files: a ModelFileError or an answer, within bounded memory; never another exception."""

from __future__ import annotations

import contextlib
import pickle
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.formats.build import (
    DATA,
    keras_bytes,
    lightgbm_bytes,
    safetensors_bytes,
    small_gguf,
    torch_bytes,
)

from mlpack.errors import ModelFileError
from mlpack.formats import inspect

pytestmark = pytest.mark.slow

HEADER = (DATA / "all-minilm-l6-v2.header.json").read_bytes()
SEEDS = {
    "m.safetensors": safetensors_bytes(HEADER, 64),
    "model.safetensors.index.json": b'{"metadata": {"total_size": 8}, "weight_map": {"a": "m-1", "b": "m-2"}}',
    "m.gguf": small_gguf(),
    "m.keras": keras_bytes(),
    "m.pt": torch_bytes(),
    "m.pkl": pickle.dumps([1, "a"]),
    "trees.txt": lightgbm_bytes(),
}
ALLOWED_BYTES = 64 * 2**20


@st.composite
def mutations(draw: st.DrawFn) -> tuple[str, bytes]:
    """A seed with pieces overwritten, removed, repeated or cut off; lengths near the powers of two are likely."""
    name = draw(st.sampled_from(sorted(SEEDS)))
    content = bytearray(SEEDS[name])
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, min(len(content), draw(st.sampled_from([32, 512, 20_000]))) - 1)))
        piece = draw(
            st.one_of(
                st.binary(max_size=12),
                st.integers(0, 2**64 - 1).map(lambda n: n.to_bytes(8, "little")),
                st.sampled_from([2**p - 1 for p in (8, 16, 31, 32, 62, 63, 64)]).map(lambda n: n.to_bytes(8, "little")),
            )
        )
        removed = draw(st.sampled_from([0, len(piece), 1, 1000]))
        content[place : place + removed] = piece
    return name, bytes(content)


def answered_or_refused(path: Path, content: bytes) -> None:
    """The property: ``inspect`` answers soundly or raises ModelFileError."""
    path.write_bytes(content)
    with contextlib.suppress(ModelFileError):
        info = inspect(path)
        assert info.size_bytes >= len(content)
        assert info.weights_bytes >= 0


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=mutations())
def test_damaged_files(case: tuple[str, bytes], tmp_path: Path) -> None:
    name, content = case
    answered_or_refused(tmp_path / name, content)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=mutations())
def test_damaged_files_take_little_memory(case: tuple[str, bytes], tmp_path: Path) -> None:
    name, content = case
    tracemalloc.start()
    try:
        answered_or_refused(tmp_path / name, content)
        assert tracemalloc.get_traced_memory()[1] < ALLOWED_BYTES
    finally:
        tracemalloc.stop()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(min_size=1, max_size=200), name=st.sampled_from([*sorted(SEEDS), "m.h5", "m.onnx", "m.joblib"])
)
def test_any_bytes(content: bytes, name: str, tmp_path: Path) -> None:
    answered_or_refused(tmp_path / name, content)
