"""config.json of a transformers model: the sizes that activations and caches are computed from. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from mlpack.formats.config_attention import attention_of
from mlpack.model import Architecture

Family = Literal["encoder", "decoder", "encoder-decoder", "convolutional", "other"]

HIDDEN = ("hidden_size", "d_model", "n_embd", "dim", "embed_dim")
INTERMEDIATE = ("intermediate_size", "encoder_ffn_dim", "d_ff", "n_inner", "hidden_dim", "ffn_dim")
LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "encoder_layers", "num_layers")
DECODER_LAYERS = ("decoder_layers", "num_decoder_layers")
HEADS = ("num_attention_heads", "n_head", "n_heads", "encoder_attention_heads", "num_heads")
CONTEXT = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")
DECODER_TYPES = frozenset(
    {
        "bloom",
        "codegen",
        "cohere",
        "cohere2",
        "deepseek_v2",
        "deepseek_v3",
        "falcon",
        "gemma",
        "gemma2",
        "gemma3_text",
        "gpt2",
        "gpt_bigcode",
        "gpt_neo",
        "gpt_neox",
        "gpt_oss",
        "gptj",
        "granite",
        "llama",
        "mistral",
        "mixtral",
        "mpt",
        "olmo",
        "olmo2",
        "opt",
        "phi",
        "phi3",
        "qwen2",
        "qwen2_moe",
        "qwen3",
        "qwen3_moe",
        "smollm3",
        "stablelm",
        "starcoder2",
    }
)
CONVOLUTIONAL_TYPES = frozenset(
    {
        "bit",
        "convnext",
        "convnextv2",
        "efficientnet",
        "mobilenet_v1",
        "mobilenet_v2",
        "regnet",
        "resnet",
        "textnet",
        "timm_backbone",
    }
)
LARGEST = 2**40
"""No size of a network is as large; a larger number is a damaged file."""


def architecture_of(config: Mapping[str, Any]) -> Architecture | None:
    """The architecture that ``config`` describes; None where it describes none."""
    named = config.get("architectures")
    name = named[0] if isinstance(named, list) and named and isinstance(named[0], str) else None
    model_type = config.get("model_type")
    kind = model_type if isinstance(model_type, str) else ""
    if name is None and not kind:
        return None
    sizes = _inner(config)
    family = _family(config, name or "", kind, sizes)
    hidden = _number(sizes, HIDDEN)
    heads = _number(sizes, HEADS)
    head_dim = _number(sizes, ("head_dim", "d_kv"))
    if head_dim is None and hidden and heads:
        head_dim = hidden // heads
    layers = _number(sizes, LAYERS)
    if family == "encoder-decoder":
        layers = _number(sizes, DECODER_LAYERS) or layers
    attention = attention_of(sizes, layers)
    return Architecture(
        family=family,
        name=name or kind,
        hidden_size=hidden,
        intermediate_size=_number(sizes, INTERMEDIATE),
        layers=layers,
        heads=heads,
        kv_heads=attention.kv_heads or heads,
        head_dim=head_dim,
        vocabulary=_number(sizes, ("vocab_size",)),
        context_tokens=_context(sizes),
        sliding_window=attention.sliding_window,
        sliding_layers=attention.sliding_layers,
        latent_dim=attention.latent_dim,
        stateful_layers=attention.stateful_layers,
    )


def stated_dtype(config: Mapping[str, Any]) -> str | None:
    """The dtype that transformers loads the weights in (``dtype``, before version 5 ``torch_dtype``)."""
    for key in ("dtype", "torch_dtype"):
        value = config.get(key)
        if isinstance(value, str):
            return value.removeprefix("torch.")
    return None


def _inner(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part with the sizes: models of several kinds of input keep those of the widest part one level down."""
    if _number(config, HIDDEN) is not None:
        return config
    parts = [part for key in ("text_config", "vision_config") if isinstance(part := config.get(key), Mapping)]
    return max(parts, key=lambda part: _number(part, HIDDEN) or 0, default=config)


def _family(config: Mapping[str, Any], name: str, kind: str, sizes: Mapping[str, Any]) -> Family:
    if kind in CONVOLUTIONAL_TYPES:
        return "convolutional"
    if name.endswith("EncoderModel"):
        return "encoder"
    if config.get("is_encoder_decoder") is True:
        return "encoder-decoder"
    if name.endswith(("ForCausalLM", "LMHeadModel")) or kind in DECODER_TYPES or config.get("is_decoder") is True:
        return "decoder"
    return "encoder" if _number(sizes, HIDDEN) else "other"


def _context(sizes: Mapping[str, Any]) -> int | None:
    """Tokens of the longest input; of images the number of patches and one for the class."""
    tokens = _number(sizes, CONTEXT)
    image, patch = _number(sizes, ("image_size",)), _number(sizes, ("patch_size",))
    if tokens is None and image and patch:
        return (image // patch) ** 2 + 1
    return tokens


def _number(config: Mapping[str, Any], keys: tuple[str, ...]) -> int | None:
    """The first of ``keys`` that holds a positive whole number of a sane size."""
    for key in keys:
        value = config.get(key)
        if type(value) is int and 0 < value < LARGEST:
            return value
    return None
