"""Hugging Face transformers: version 5 maps the weights from the file, so that all workers share them."""

from __future__ import annotations

from mlpack.model import ModelInfo
from mlpack.plan import Decided, DecidedStr
from mlpack.runtimes import activations, regions, times
from mlpack.runtimes.base import Sized
from mlpack.runtimes.facts import facts
from mlpack.runtimes.loading import float32_bytes, stored_narrow
from mlpack.runtimes.measured import measured
from mlpack.runtimes.threads import openmp_environment
from mlpack.spec import Model
from mlpack.units import MIB

FACTS = facts(
    "transformers",
    measured().transformers,
    packages=("transformers", "sentence-transformers"),
    modules=("torch", "transformers"),
    formats=("transformers", "safetensors"),
    pool="openmp",
    fork_safe="unproven",  # worked without, hung after an inference before the fork (docs/memory.md, preload)
)
LOADED_OVERHEAD_BYTES = 8 * MIB
"""Anonymous memory that a mapped model still needs: 3 MiB at 110M parameters, 6 MiB at 410M (docs/memory.md)."""


def size(name: str, model: Model, info: ModelInfo) -> Sized:
    """Mapped weights as stored: 274 MiB anonymous after load at 110M and 277 at 410M, of 271 after import.

    16-bit weights may be kept (mapped) or cast to 32 bits by the app (copied, 692 MiB at 110M): planned as cast, with
    the part of the file that a kept mapping would surely use.
    """
    needs = activations.of_request(name, model, info)
    widened: tuple[str, ...] = (times.WIDE_TIMES,)
    cast = stored_narrow(info)
    mapped = _touched_bytes(info) if cast else info.weights_bytes
    found = [
        regions.weights(
            name,
            "mapped",
            mapped,
            lower=_touched_bytes(info),
            because="transformers 5 maps the file: evictable, shared by all workers",
        ),
        regions.region(
            f"{name} objects",
            "load",
            "anonymous",
            "process",
            LOADED_OVERHEAD_BYTES,
            lower=0,
            because="modules and buffers beside mapped weights: 3 MiB at 110M parameters, 6 MiB at 410M",
        ),
    ]
    if cast:
        widened = (f"{name} is stored in 16 bits: planned as cast to 32, which also breaks the mapping", *widened)
        found.append(
            regions.region(
                f"{name} cast weights",
                "load",
                "anonymous",
                "process",
                float32_bytes(info),
                lower=0,
                because="16-bit weights become private 32-bit ones if the app (or transformers 4) casts them",
            )
        )
    found.append(regions.activations(name, needs.bytes, lower=needs.lower_bytes, because=needs.because))
    found.extend(regions.creep(name, needs.creep_bytes))
    return Sized(
        regions=tuple(found),
        load_s=times.load_s(info, copied=cast),
        request_s=times.request_s(name, model, info),
        widened=(*needs.widened, *widened),
    )


def _touched_bytes(info: ModelInfo) -> int:
    """Stored bytes that every inference reads: all but the vocabulary's embedding; 0 where that is not known."""
    architecture = info.architecture
    if architecture is None or not architecture.vocabulary or not architecture.hidden_size or not info.parameters:
        return 0
    embedding = architecture.vocabulary * architecture.hidden_size / info.parameters
    return max(0, int(info.weights_bytes * (1 - embedding)))


def environment(threads: int, *, shared_cores: bool) -> dict[str, Decided[str]]:
    """torch's variables, and no threads of the tokenizer: they do not survive a fork (docs/facts.md)."""
    return {
        **openmp_environment(threads, shared_cores=shared_cores),
        "TOKENIZERS_PARALLELISM": DecidedStr(
            value="false", source="default", because="the tokenizer's threads deadlock in a forked worker"
        ),
    }
