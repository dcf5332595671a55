"""GGUF files with the caches of published models: their layers, heads and windows, and next to no weights.

Names and shapes of the tensors are those that llama.cpp's loaders ask for (src/models/*.cpp); their values are zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np

VOCABULARY = 512
WIDTH = 32
"""Of embedding and feed-forward layer: neither has a part in the cache."""


@dataclass(frozen=True)
class Shape:
    """Sizes of one model that its cache follows from; ``extra``: metadata beside the usual."""

    architecture: str
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    context: int
    extra: dict[str, int | list[bool]] = field(default_factory=dict)
    of: str = ""
    """The published model whose sizes these are."""


SHAPES = {
    "llama": Shape("llama", 30, 9, 3, 64, 8192, of="SmolLM2-135M"),
    "gemma2": Shape("gemma2", 26, 8, 4, 256, 8192, {"attention.sliding_window": 4096}, "gemma-2-2b"),
    "gemma3": Shape("gemma3", 26, 4, 1, 256, 32768, {"attention.sliding_window": 512}, "gemma-3-1b"),
    "gemma3-pattern": Shape(
        "gemma3",
        24,
        4,
        1,
        256,
        32768,
        {"attention.sliding_window": 512, "attention.sliding_window_pattern": [True, True, True, False] * 6},
        "none: the windows as a list",
    ),
    "gemma3-no-window": Shape("gemma3", 34, 8, 4, 256, 32768, of="Rnj-1, which has none"),
    "olmo2": Shape("olmo2", 32, 4, 4, 128, 8192, {"attention.sliding_window": 4096}, "OLMo 3 7B, fewer heads"),
    "phi3": Shape("phi3", 32, 4, 4, 96, 8192, {"attention.sliding_window": 2047}, "Phi-3-mini-4k, fewer heads"),
    "deepseek2": Shape(
        "deepseek2",
        27,
        16,
        1,
        576,
        32768,
        {
            "attention.kv_lora_rank": 512,
            "attention.value_length": 512,
            "attention.key_length_mla": 192,
            "attention.value_length_mla": 128,
            "rope.dimension_count": 64,
            "leading_dense_block_count": 27,
            "expert_feed_forward_length": WIDTH,
            "expert_shared_count": 1,
        },
        "DeepSeek-V2-Lite, without experts",
    ),
}


def write(path: Path, shape: Shape) -> None:
    """Write the model to ``path``; a few megabytes."""
    writer = gguf.GGUFWriter(path, shape.architecture)
    prefix = shape.architecture
    width = width_of(shape)
    numbers = {
        "context_length": shape.context,
        "embedding_length": width,
        "block_count": shape.layers,
        "feed_forward_length": WIDTH,
        "attention.head_count": shape.heads,
        "attention.head_count_kv": shape.kv_heads,
        "attention.key_length": shape.head_dim,
        "attention.value_length": shape.head_dim,
        "rope.dimension_count": shape.head_dim,
        "vocab_size": VOCABULARY,
        **shape.extra,
    }
    for key, value in numbers.items():
        if isinstance(value, list):
            writer.add_array(f"{prefix}.{key}", value)
        else:
            writer.add_uint32(f"{prefix}.{key}", value)
    writer.add_float32(f"{prefix}.attention.layer_norm_rms_epsilon", 1e-6)
    writer.add_float32(f"{prefix}.rope.freq_base", 10000.0)
    _vocabulary(writer)
    for name, sizes in _tensors(shape, width).items():
        kind = np.float32 if "norm" in name else np.float16
        writer.add_tensor(name, np.zeros(tuple(reversed(sizes)), dtype=kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def width_of(shape: Shape) -> int:
    """The embedding's: heads fill it in OLMo and Phi, of all others it is free."""
    return shape.heads * shape.head_dim if shape.architecture in ("olmo2", "phi3") else WIDTH


def _vocabulary(writer: gguf.GGUFWriter) -> None:
    """Bytes as a SentencePiece model has them, and nothing else."""
    special = ["<unk>", "<s>", "</s>"]
    tokens = [*special, *(f"<0x{code:02X}>" for code in range(256))]
    tokens += [f"word{index}" for index in range(VOCABULARY - len(tokens))]
    kinds = [2, 3, 3, *[6] * 256, *[1] * (VOCABULARY - 259)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * VOCABULARY)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)


def _tensors(shape: Shape, width: int) -> dict[str, tuple[int, ...]]:
    """Every tensor by name, sizes as ggml orders them."""
    found: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (width, VOCABULARY),
        "output_norm.weight": (width,),
        "output.weight": (width, VOCABULARY),
    }
    if shape.architecture.startswith("gemma"):
        del found["output.weight"]  # the embedding is used again
    for index in range(shape.layers):
        found |= {f"blk.{index}.{name}.weight": sizes for name, sizes in _layer(shape, width).items()}
    return found


def _layer(shape: Shape, width: int) -> dict[str, tuple[int, ...]]:
    query, key = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    feed: dict[str, tuple[int, ...]] = {
        "ffn_gate": (width, WIDTH),
        "ffn_up": (width, WIDTH),
        "ffn_down": (WIDTH, width),
    }
    norms: dict[str, tuple[int, ...]] = {"attn_norm": (width,), "ffn_norm": (width,)}
    attention: dict[str, tuple[int, ...]] = {
        "attn_q": (width, query),
        "attn_k": (width, key),
        "attn_v": (width, key),
        "attn_output": (query, width),
    }
    after: dict[str, tuple[int, ...]] = {"post_attention_norm": (width,), "post_ffw_norm": (width,)}
    if shape.architecture == "deepseek2":
        return {**norms, **feed, **_latent(shape, width)}
    if shape.architecture == "gemma2":
        return {**norms, **after, **attention, **feed}
    if shape.architecture == "gemma3":
        return {
            **norms,
            **after,
            **attention,
            **feed,
            "attn_q_norm": (shape.head_dim,),
            "attn_k_norm": (shape.head_dim,),
        }
    if shape.architecture == "olmo2":
        return {**after, **attention, **feed, "attn_q_norm": (query,), "attn_k_norm": (key,)}
    if shape.architecture == "phi3":
        together: dict[str, tuple[int, ...]] = {"attn_qkv": (width, query + 2 * key), "attn_output": (query, width)}
        return {**norms, **together, "ffn_up": (width, 2 * WIDTH), "ffn_down": (WIDTH, width)}
    return {**norms, **attention, **feed}


def _latent(shape: Shape, width: int) -> dict[str, tuple[int, ...]]:
    """Multi-head latent attention: keys and values from one compressed vector of ``rank`` numbers."""
    sizes = {name: value for name, value in shape.extra.items() if isinstance(value, int)}
    rank, rope = sizes["attention.kv_lora_rank"], sizes["rope.dimension_count"]
    key, value = sizes["attention.key_length_mla"], sizes["attention.value_length_mla"]
    return {
        "attn_q": (width, shape.heads * key),
        "attn_kv_a_mqa": (width, rank + rope),
        "attn_kv_a_norm": (rank,),
        "attn_k_b": (key - rope, rank, shape.heads),
        "attn_v_b": (rank, value, shape.heads),
        "attn_output": (shape.heads * value, width),
    }
