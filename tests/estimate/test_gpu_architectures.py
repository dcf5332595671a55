"""Sixteen public architectures: our arithmetic against transformers' tensors and two peers (bench/gpu_arithmetic)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlpack.formats.config_json import architecture_of
from mlpack.model import Architecture, DtypeShare, ModelFile, ModelInfo
from mlpack.runtimes.kv_cache import llama_cpp_cache, transformers_cache
from mlpack.runtimes.loading import loaded_bytes

ROOT = Path(__file__).parents[2]
CONFIGS = {
    path.stem: json.loads(path.read_text())["config"]
    for path in sorted((Path(__file__).parent / "architectures").glob("*.json"))
}
TRUTH: dict[str, dict[str, Any]] = json.loads((ROOT / "bench/gpu_arithmetic/result.json").read_text())["models"]
HF_MEM_DIFFERS = {
    "deepseek-v2-lite": "it counts full keys and values in place of one compressed vector: 7.1 times as much",
    "falcon-7b": "it does not know `multi_query`: 71 heads in place of one",
    "gpt2": "it does not read GPT-2's names of the sizes",
    "t5-small": "it does not read T5's names of the sizes",
}
BUFFERS_BYTES = 2048
"""accelerate counts buffers too, here the frequencies of rotary positions: 128 to 1,026 bytes in bfloat16."""


def known(name: str) -> Architecture:
    found = architecture_of(CONFIGS[name])
    assert found is not None
    return found


def test_as_many_as_the_bench_ran() -> None:
    assert len(CONFIGS) >= 10
    assert set(CONFIGS) == set(TRUTH)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_configs_are_those_of_the_published_models(name: str) -> None:
    """Every parameter of the published count is there: no size in the config can be wrong by much, nor by little."""
    assert TRUTH[name]["parameters"] == TRUTH[name]["published_parameters"]


@pytest.mark.parametrize("name", CONFIGS)
def test_the_cache_is_what_transformers_keeps(name: str) -> None:
    truth = TRUTH[name]
    cache = transformers_cache(known(name), truth["tokens"], 2)
    assert cache is not None
    assert cache.bytes == truth["cache_after_prompt_bytes"]
    one_token = cache.bytes / truth["tokens"] if name != "t5-small" else 0
    assert cache.lower_bytes <= truth["cache_one_token_later_bytes"] <= cache.lower_bytes + one_token


@pytest.mark.parametrize("name", CONFIGS)
def test_where_hf_mem_differs_is_known(name: str) -> None:
    truth = TRUTH[name]
    assert (truth["hf_mem_cache_bytes"] != truth["cache_after_prompt_bytes"]) == (name in HF_MEM_DIFFERS)


LLMFIT_DIFFERS = {
    "deepseek-v2-lite": "it counts full keys and values in place of one compressed vector",
    "t5-small": "it leaves the encoder's keys and values out",
}


@pytest.mark.parametrize("name", CONFIGS)
def test_where_llmfits_formula_differs_is_known(name: str) -> None:
    """2 x layers x key/value heads x head dimension x tokens x bytes, as llmfit has it (llmfit-core/src/models.rs)."""
    truth, sizes = TRUTH[name], known(name)
    heads = sizes.kv_heads or sizes.heads
    assert sizes.layers
    assert heads
    assert sizes.head_dim
    theirs = 2 * sizes.layers * heads * sizes.head_dim * truth["tokens"] * 2
    assert (theirs != truth["cache_after_prompt_bytes"]) == (name in LLMFIT_DIFFERS)


@pytest.mark.parametrize("name", CONFIGS)
def test_weights_are_what_accelerate_counts(name: str) -> None:
    truth = TRUTH[name]
    shares = (DtypeShare(dtype="F32", parameters=truth["parameters"], bytes=4 * truth["parameters"]),)
    info = ModelInfo(format="safetensors", files=(ModelFile(path="m", size_bytes=0, header_sha256="0"),), dtypes=shares)
    ours, theirs = loaded_bytes(info, "bf16"), truth["accelerate_weights_bytes"]
    assert 0 <= theirs - ours <= BUFFERS_BYTES


@pytest.mark.parametrize(
    ("name", "full", "windowed"),
    [
        ("gemma-2-9b", 21, 21),  # every other layer
        ("gemma-3-1b", 4, 22),  # five of six
        ("gpt-oss-20b", 12, 12),
        ("mistral-7b-v0.1", 0, 32),
        ("qwen2.5-7b", 28, 0),  # its window is switched off
    ],
)
def test_windows_as_the_configs_say(name: str, full: int, windowed: int) -> None:
    found = known(name)
    assert found.layers is not None
    assert (found.layers - (found.sliding_layers or 0), found.sliding_layers or 0) == (full, windowed)


def test_llama_cpp_keeps_a_window_and_a_micro_batch() -> None:
    """Gemma 3 1B at 8,192 tokens: 4 layers x 8,192 + 22 x 1,024 cells (512 + 512), 512 values each, f16."""
    cache = llama_cpp_cache(known("gemma-3-1b"), 8192, 2, windows=True)
    assert cache is not None
    assert cache.bytes == (4 * 8192 + 22 * 1024) * 512 * 2


def test_a_q8_cache_is_34_bytes_for_32_values() -> None:
    full, small = (llama_cpp_cache(known("smollm2-135m"), 2048, size, windows=True) for size in (2, 34 / 32))
    assert full is not None
    assert small is not None
    assert (full.bytes, small.bytes) == (2048 * 23040, 2048 * 23040 * 34 // 64)


def test_the_table_of_the_docs_is_this_result() -> None:
    """docs/gpu.md: every architecture, with the numbers of the bench in MiB."""
    lines = (ROOT / "docs/gpu.md").read_text().splitlines()
    shown = {cells[1]: cells[2:9] for line in lines if len(cells := [c.strip() for c in line.split("|")]) == 11}
    for name, truth in TRUTH.items():
        weights = 2 * truth["parameters"]
        wanted = [weights, truth["accelerate_weights_bytes"]]
        wanted += [truth["cache_after_prompt_bytes"], truth["cache_one_token_later_bytes"]]
        texts = [f"{truth['parameters']:,}", f"{truth['tokens']:,}", *(f"{count / 2**20:,.1f}" for count in wanted)]
        peer = truth["hf_mem_cache_bytes"]
        assert shown[name] == [*texts, "-" if peer is None else f"{peer / 2**20:,.1f}"]
