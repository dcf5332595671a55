"""What one inference of the largest request holds: transformers by tokens, convolutional nets by input positions.

Constants are measurements of docs/memory.md ("Activations"). What they do not cover widens the estimate, aloud.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from mlpack.model import Architecture, ModelInfo
from mlpack.runtimes.kv_cache import CACHE_BYTES, transformers_cache, untold, untold_reason
from mlpack.spec import MaxInput, Model
from mlpack.units import KIB, MIB

FLOAT_BYTES = 4
ENCODER_BYTES_PER_TOKEN = 80 * KIB
"""The most that was measured at hidden size 768, intermediate size 3072 (66-80 KiB per token, fp32)."""
ENCODER_WIDTH = 768 + 3072
"""hidden + intermediate size at which ``ENCODER_BYTES_PER_TOKEN`` was measured; activations scale with their sum."""
CREEP_BYTES = 42 * MIB
"""Growth of the allocator over 100 random lengths at that width (273 -> 315 MiB)."""
DEFAULT_TOKENS = 512
POSITION_BYTES = 1784
"""U-Net at 512 x 512, per pixel: 446 MiB through Keras' ``predict()``; 1,697 bytes with torch in inference mode.
Under ONNX Runtime text detection and recognition took 291 to 495 bytes, a ResNet-50 172."""
EAGER_POSITION_BYTES = 3880
"""The same U-Net called eagerly as ``model(x)``: 970 MiB."""
ROW_COPIES, ROWS_LEAST_BYTES, UNKNOWN_ROWS_BYTES = 8, MIB, 32 * MIB
"""A table of float64 in a tree model's request: the rows, the library's own layout of them, per-tree sums. 1,000 rows
of 30 numbers (0.23 MiB) took 0.3 MiB with LightGBM and less with a forest; where no shape bounds them, a guess."""
UNKNOWN_BYTES = 256 * MIB
"""Planned where neither the input nor the architecture is known: more than any measured encoder at 512 tokens x 4."""
GRAPH_FACTOR = 2.2
"""Over the live set of the graph: the arena's rounding, and copies between layouts. A ResNet-50 under ONNX Runtime took
110 to 172 bytes per position, its live set is 80."""
KEPT_FACTOR = 1.12
"""Over all outputs of the layers together, where none is let go before the last (Keras called eagerly): 1.10 for the
U-Net at 512 x 512 (970 MiB; its layers' outputs are 882), 0.80 at 256 x 256, 1.04 for a ResNet-50."""
CHANNELS_AT_MOST = 4
"""A first or last dimension this small is taken for colour channels, not for positions."""


@dataclass(frozen=True)
class Activations:
    """Bytes of one request at its peak, what it surely needs, why, and the reasons that make it wide."""

    bytes: int
    lower_bytes: int
    because: str
    creep_bytes: int = 0
    """Allocator growth under varying lengths, once per process."""
    widened: tuple[str, ...] = ()


def positions(shape: tuple[int, ...]) -> int:
    """Pixels (or voxels, or samples) of one item of ``shape``, channels first or last: (3, H, W), (H, W, 3), (H, W)."""
    if len(shape) >= 3 and shape[0] <= CHANNELS_AT_MOST:
        return prod(shape[1:])
    if len(shape) >= 3 and shape[-1] <= CHANNELS_AT_MOST:
        return prod(shape[:-1])
    return prod(shape)


def tokens_of(name: str, max_input: MaxInput | None, architecture: Architecture | None) -> tuple[int, tuple[str, ...]]:
    """Tokens of one item at most, and the reasons why that is a guess. Batch is not included."""
    if max_input is not None and max_input.tokens is not None:
        return max_input.tokens, ()
    context = architecture.context_tokens if architecture else None
    if context is not None:
        return context, (f"models.{name}.max_input.tokens is not set: planned for the model's context of {context}",)
    return DEFAULT_TOKENS, (f"models.{name}.max_input.tokens is not set: planned for {DEFAULT_TOKENS} tokens",)


def transformer(name: str, model: Model, architecture: Architecture) -> Activations:
    """Activations of an encoder, decoder or both for the largest request, fp32.

    Decoders add logits for every token and their key and value cache; encoder-decoders run both stacks.
    """
    hidden = architecture.hidden_size or 768
    intermediate = architecture.intermediate_size or 4 * hidden
    batch = model.max_input.batch if model.max_input else 1
    per_item, widened = tokens_of(name, model.max_input, architecture)
    tokens = per_item * batch
    share = (hidden + intermediate) / ENCODER_WIDTH
    stacks = 2 if architecture.family == "encoder-decoder" else 1
    per_token = ENCODER_BYTES_PER_TOKEN * share * stacks
    parts = [f"{tokens:,} tokens x {per_token / KIB:.0f} KiB at width {hidden} + {intermediate}"]
    kept = 0
    if architecture.family in {"decoder", "encoder-decoder"}:
        logits = (architecture.vocabulary or 0) * FLOAT_BYTES
        per_token += logits
        cache = transformers_cache(architecture, per_item, CACHE_BYTES[model.cache_dtype or "f32"])
        if cache is None:
            cache, widened = untold(per_item), (*widened, untold_reason(name))
        kept = cache.bytes * batch
        parts.append(f"logits {logits / KIB:.0f} KiB per token + key/value cache {kept / MIB:.0f} MiB")
    if architecture.hidden_size is None:
        widened = (*widened, f"the header of {name} does not tell its width: planned as 768 + 3072")
    return Activations(
        bytes=round(tokens * per_token) + kept,
        lower_bytes=tokens * (hidden + intermediate) * FLOAT_BYTES,
        because=" + ".join(parts),
        creep_bytes=round(CREEP_BYTES * share),
        widened=widened,
    )


def of_rows(name: str, model: Model) -> Activations:
    """One request to a model of trees, or any other over a table: ``max_input.shape`` is one row."""
    if model.max_input is None or model.max_input.shape is None:
        hint = f"the rows of a request to {name} are unbounded: say models.{name}.max_input (shape of a row, and batch)"
        return Activations(
            bytes=UNKNOWN_ROWS_BYTES, lower_bytes=0, because="rows and temporary arrays of one request", widened=(hint,)
        )
    numbers = prod(model.max_input.shape) * model.max_input.batch
    return Activations(
        bytes=ROWS_LEAST_BYTES + ROW_COPIES * 2 * FLOAT_BYTES * numbers,
        lower_bytes=0,
        because=f"{numbers:,} numbers in float64, {ROW_COPIES} times",
    )


def convolutional(name: str, model: Model, *, eager: bool) -> Activations | None:
    """Activations of a net over an input of known shape; None without one. Always widened: the net's depth varies."""
    if model.max_input is None or model.max_input.shape is None:
        return None
    count = positions(model.max_input.shape) * model.max_input.batch
    each = EAGER_POSITION_BYTES if eager else POSITION_BYTES
    return Activations(
        bytes=count * each,
        lower_bytes=count * FLOAT_BYTES,
        because=f"{count:,} positions x {each:,} bytes, as a U-Net{' called eagerly' if eager else ''} needs",
        widened=(f"activations of {name} are taken from a U-Net's; most nets need less, and a measurement tells",),
    )


def by_layers(name: str, model: Model, architecture: Architecture | None, *, eager: bool) -> Activations | None:
    """Activations of a net whose layers were walked, over an input of known shape; None where either is not known."""
    each = architecture.position_bytes if architecture is not None else None
    if architecture is None or each is None or model.max_input is None or model.max_input.shape is None:
        return None
    count = positions(model.max_input.shape) * model.max_input.batch
    factor, planned, what = GRAPH_FACTOR, each, "alive at once, by the graph"
    if eager:
        if architecture.kept_position_bytes is None:
            return None
        factor, planned, what = KEPT_FACTOR, architecture.kept_position_bytes, "of all layers together"
    return Activations(
        bytes=round(factor * planned * count),
        lower_bytes=each * count // 4,
        because=f"{count:,} positions x {planned:,} bytes {what} of {name}, x {factor}",
    )


def of_request(name: str, model: Model, info: ModelInfo, *, eager: bool = False) -> Activations:
    """Activations of the largest request of model ``name`` by what is known of it.

    ``eager``: the framework keeps every layer's output (Keras called as ``model(x)``).
    """
    architecture = info.architecture
    if architecture is not None and architecture.family in {"encoder", "decoder", "encoder-decoder"}:
        return transformer(name, model, architecture)
    by_graph = by_layers(name, model, architecture, eager=eager)
    if by_graph is not None:
        return by_graph
    by_shape = convolutional(name, model, eager=eager)
    if by_shape is not None:
        return by_shape
    if model.max_input is not None and model.max_input.tokens is not None:
        guess = Architecture(family="encoder", name="unknown")
        return transformer(name, model, guess)
    return Activations(
        bytes=UNKNOWN_BYTES,
        lower_bytes=0,
        because="neither the largest input nor the architecture is known",
        widened=(f"the input of {name} is unbounded: say models.{name}.max_input (shape and batch, or tokens)",),
    )
