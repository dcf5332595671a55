"""The cache of llama.cpp: our arithmetic against what it reports of its own allocation (bench/llama_cache)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlpack.formats.gguf import architecture_of
from mlpack.runtimes.kv_cache import CACHE_BYTES, llama_cpp_cache

RESULT = Path(__file__).parents[2] / "bench" / "llama_cache" / "result.json"
MODELS: dict[str, dict[str, Any]] = json.loads(RESULT.read_text())["models"]
ROUNDED_BYTES = 0.005 * 2**20 + 1
"""llama.cpp prints each part of the cache in MiB with two decimals."""


@pytest.mark.parametrize("name", MODELS)
def test_the_cache_is_what_llama_cpp_allocates(name: str) -> None:
    """Windows, windows listed layer by layer, none, one compressed vector; kept whole or not; in three types."""
    architecture = architecture_of(MODELS[name]["metadata"], {})
    assert architecture is not None
    rows = MODELS[name]["rows"]
    assert {(row["whole"], row["type"]) for row in rows} == {
        (w, t) for w in (True, False) for t in ("f16", "q8_0", "q4_0")
    }
    for row in rows:
        cache = llama_cpp_cache(architecture, row["tokens"], CACHE_BYTES[row["type"]], windows=not row["whole"])
        assert cache is not None
        assert abs(cache.bytes - row["bytes"]) <= ROUNDED_BYTES * len(row["parts"]), row


def test_a_window_matters_where_the_bench_says_so() -> None:
    """The rows can tell a whole cache from a windowed one: at 8,192 tokens four models of eight differ."""
    differ = {
        name
        for name, model in MODELS.items()
        if len({row["bytes"] for row in model["rows"] if row["tokens"] == 8192 and row["type"] == "f16"}) > 1
    }
    assert differ == {"gemma2", "gemma3", "gemma3-pattern", "olmo2"}
