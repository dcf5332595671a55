"""How long loading and one request may take: conservative rates, for bounds such as start periods."""

from __future__ import annotations

from mlpack.model import ModelInfo
from mlpack.runtimes.activations import positions, tokens_of
from mlpack.spec import Model

DISK_BYTES_PER_S = 100e6
"""A network disk or a cold page cache; local SSDs are ten times faster."""
COPY_BYTES_PER_S = 500e6
"""Decoding and copying weights in memory, on one busy core."""
CORE_FLOPS = 20e9
"""fp32 operations per second of one slow core; MiniLM reached 73e9 where it was measured (docs/memory.md, threads)."""
REUSE = 1 / 32
"""Part of a convolutional net's weights that works at full resolution: 2 x parameters x positions x this.
1/37 for a U-Net at 512 x 512 (about 440 GFLOP of 31M parameters), 1/313 for ResNet-50: the highest, rounded up."""
SHORTEST_S = 0.05
WIDE_TIMES = "load and request times are bounds from conservative rates, not measurements"


def load_s(info: ModelInfo, *, copied: bool) -> float:
    """Seconds to read (and, if ``copied``, to decode and copy) the model."""
    seconds = info.size_bytes / DISK_BYTES_PER_S
    return seconds + info.weights_bytes / COPY_BYTES_PER_S if copied else seconds


def request_s(name: str, model: Model, info: ModelInfo) -> float:
    """Seconds of the largest request on one core.

    Transformers: 2 x parameters x tokens operations; others 2 x parameters x positions x ``REUSE``.
    """
    parameters = info.parameters or info.weights_bytes // 4
    batch = model.max_input.batch if model.max_input else 1
    if model.max_input is not None and model.max_input.shape is not None and not _is_transformer(info):
        operations = 2 * parameters * positions(model.max_input.shape) * batch * REUSE
    else:
        tokens, _ = tokens_of(name, model.max_input, info.architecture)
        operations = 2 * parameters * tokens * batch
    return max(SHORTEST_S, operations / CORE_FLOPS)


def _is_transformer(info: ModelInfo) -> bool:
    return info.architecture is not None and info.architecture.family in {"encoder", "decoder", "encoder-decoder"}
