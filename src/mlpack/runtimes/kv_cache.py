"""The key/value cache: how many bytes so many tokens keep, by layers, heads, windows and compressed caches. Exact.

Checked against the storages of transformers' own caches for sixteen architectures (bench/gpu_arithmetic, docs/gpu.md)
and against what llama.cpp reports of its own for eight (bench/llama_cache).
"""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.model import Architecture

CACHE_BYTES = {"f32": 4.0, "f16": 2.0, "bf16": 2.0, "fp8": 1.0, "q8_0": 34 / 32, "q4_0": 18 / 32}
"""Bytes of one value; ggml's blocks hold 32 values and a 16-bit scale."""
UNTOLD_BYTES_PER_TOKEN = 128 * 1024
"""Planned where the header lacks a size: what 8 billion parameters with 8 key/value heads need in 16 bits (2 x 32
layers x 8 x 128 values)."""
MICRO_BATCH_TOKENS = 512
"""llama.cpp's default ``--ubatch-size``: tokens that one pass over a prompt holds; a layer with a window keeps as many
beside the window."""
PADDING_TOKENS = 256
"""llama.cpp rounds such a layer's cells up to this (llama-kv-cache-iswa.cpp)."""


@dataclass(frozen=True)
class Cache:
    """Bytes at the peak, bytes that remain between tokens, and the sum in words."""

    bytes: int
    lower_bytes: int
    because: str


def untold(tokens: int) -> Cache:
    """What is planned for ``tokens`` tokens of a model whose header does not tell its sizes."""
    return Cache(tokens * UNTOLD_BYTES_PER_TOKEN, 0, f"{tokens:,} tokens x 128 KiB")


def untold_reason(name: str) -> str:
    """Why an estimate of model ``name`` is wide that has such a cache."""
    return f"the header of {name} does not tell its key/value sizes: planned as 128 KiB per token"


def values_per_token(architecture: Architecture) -> int | None:
    """Values that one layer keeps of one token: 2 x kv_heads x head_dim, or the compressed vector's; None if untold."""
    if architecture.latent_dim:
        return architecture.latent_dim
    heads, size = architecture.kv_heads or architecture.heads, architecture.head_dim
    return 2 * heads * size if heads and size else None


def transformers_cache(architecture: Architecture, tokens: int, element_bytes: float) -> Cache | None:
    """As transformers keeps it for one sequence of ``tokens`` tokens; None where the header does not tell its sizes.

    After the prompt a layer with a window still holds all of it (its tensor is a view of the whole, measured with
    5.23); from the next token on it holds the window. Encoder-decoders keep the encoder's keys and values as well.
    """
    per_token, layers = values_per_token(architecture), architecture.layers
    if per_token is None or layers is None:
        return None
    keeping = layers - (architecture.stateful_layers or 0)
    sliding = min(architecture.sliding_layers or 0, keeping)
    stacks = 2 if architecture.family == "encoder-decoder" else 1
    each = per_token * element_bytes * stacks
    later = (keeping - sliding) * tokens + sliding * min(tokens, architecture.sliding_window or tokens)
    words = f"{keeping} layers x {tokens:,} tokens x {per_token * stacks:,} values x {element_bytes:g} bytes"
    if sliding:
        words += f"; after the prompt {sliding} layers keep {architecture.sliding_window:,} tokens"
    return Cache(round(keeping * tokens * each), round(later * each), words)


def llama_cpp_cache(architecture: Architecture, tokens: int, element_bytes: float, *, windows: bool) -> Cache | None:
    """As llama.cpp allocates it at start for one slot of ``tokens`` tokens; None where the header does not tell.

    ``windows``: layers that look back a window keep no more than it, as llama.cpp's own server has it; as a library
    (llama-cpp-python) it keeps all tokens in all of them (``swa_full``, true in llama_context_default_params).
    """
    per_token, layers = values_per_token(architecture), architecture.layers
    if per_token is None or layers is None:
        return None
    sliding = (architecture.sliding_layers or 0) if windows else 0
    window = (architecture.sliding_window or 0) + MICRO_BATCH_TOKENS
    cells = min(tokens, -(-window // PADDING_TOKENS) * PADDING_TOKENS)
    count = ((layers - sliding) * tokens + sliding * cells) * per_token * element_bytes
    words = f"{layers - sliding} layers x {tokens:,} tokens"
    words += f" + {sliding} layers x {cells:,} cells of the window" if sliding else ""
    return Cache(round(count), round(count), f"({words}) x {per_token:,} values x {element_bytes:g} bytes")
