"""What a model's config says about its key/value cache: windows, compressed caches, layers that keep none. Pure.

Held against transformers' own tensors for sixteen public architectures (bench/gpu_arithmetic).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

WINDOWED = frozenset({"sliding_attention", "chunked_attention", "local_attention"})
STATEFUL = frozenset({"linear_attention", "mamba", "mamba2", "recurrent", "conv"})
LARGEST = 2**40


class Attention(NamedTuple):
    """See ``model.Architecture``; None where the config tells nothing of the kind."""

    kv_heads: int | None = None
    sliding_window: int | None = None
    sliding_layers: int | None = None
    latent_dim: int | None = None
    stateful_layers: int | None = None


def attention_of(config: Mapping[str, Any], layers: int | None) -> Attention:
    """The cache of ``config``, whose network has ``layers`` layers."""
    kinds = config.get("layer_types")
    named = [kind for kind in kinds if isinstance(kind, str)] if isinstance(kinds, list) else []
    window = _number(config, "sliding_window")
    sliding = _sliding_layers(config, named, layers) if window and layers else 0
    stateful = sum(kind in STATEFUL for kind in named)
    rank, rope = _number(config, "kv_lora_rank"), _number(config, "qk_rope_head_dim")
    return Attention(
        kv_heads=_kv_heads(config),
        sliding_window=window if sliding else None,
        sliding_layers=sliding or None,
        latent_dim=rank + (rope or 0) if rank else None,
        stateful_layers=stateful or None,
    )


def _sliding_layers(config: Mapping[str, Any], named: list[str], layers: int) -> int:
    """How many layers have the window: by name, by pattern, or (Mistral, Phi 3) all."""
    if config.get("use_sliding_window") is False:
        return 0
    if named:
        return sum(kind in WINDOWED for kind in named)
    every = _number(config, "sliding_window_pattern") or _number(config, "_sliding_window_pattern")
    if every:  # Gemma 3, Cohere 2: one layer of so many sees all
        return layers - layers // every
    if config.get("model_type") == "gemma2":  # every other layer, the first one included
        return -(-layers // 2)
    full = _number(config, "max_window_layers")
    return max(0, layers - full) if full else layers


def _kv_heads(config: Mapping[str, Any]) -> int | None:
    """Key/value heads where a config says them in its own way (Falcon, StarCoder: one for all)."""
    stated = _number(config, "num_key_value_heads") or _number(config, "num_kv_heads")
    if config.get("multi_query") is True and config.get("new_decoder_architecture") is not True:
        return 1
    return stated


def _number(config: Mapping[str, Any], key: str) -> int | None:
    value = config.get(key)
    return value if type(value) is int and 0 < value < LARGEST else None
