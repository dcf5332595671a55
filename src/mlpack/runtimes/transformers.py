"""Hugging Face transformers: version 5 maps the weights from the file, so that all workers share them."""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.model import ModelInfo
from mlpack.plan import Decided, DecidedStr
from mlpack.runtimes import activations, regions, times
from mlpack.runtimes.base import Sized
from mlpack.runtimes.facts import facts
from mlpack.runtimes.loading import float32_bytes, loaded_bytes, stored_dtype, stored_narrow
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

    Weights that are loaded in another dtype are copied: 213 MiB at 110M for 32-bit weights whose config.json says
    float16 (5.23), 692 for 16-bit ones that the app casts to 32. Where nothing says which, the dearer is planned.
    """
    needs = activations.of_request(name, model, info)
    loaded = _loaded(name, model, info)
    touched = _touched_bytes(info)
    lower = min(touched, loaded.cast_bytes) if loaded.cast_bytes else touched
    mapped = max(lower, info.weights_bytes - loaded.cast_bytes)
    found = [
        regions.weights(
            name,
            "mapped",
            mapped if loaded.may_map else 0,
            lower=lower if loaded.may_map else 0,
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
    if loaded.cast_bytes:
        found.append(
            regions.region(
                f"{name} cast weights",
                "load",
                "anonymous",
                "process",
                loaded.cast_bytes,
                lower=0 if loaded.may_map else loaded.cast_bytes,
                because=loaded.because,
            )
        )
    found.append(regions.activations(name, needs.bytes, lower=needs.lower_bytes, because=needs.because))
    found.extend(regions.creep(name, needs.creep_bytes))
    return Sized(
        regions=tuple(found),
        load_s=times.load_s(info, copied=bool(loaded.cast_bytes)),
        request_s=times.request_s(name, model, info),
        widened=(*needs.widened, *loaded.widened, times.WIDE_TIMES),
    )


@dataclass(frozen=True)
class _Loaded:
    """Bytes that a cast (or a quantiser) would copy, 0 for none; whether the file's own mapping may be kept."""

    cast_bytes: int
    may_map: bool
    because: str = ""
    widened: tuple[str, ...] = ()


def _loaded(name: str, model: Model, info: ModelInfo) -> _Loaded:
    """How the weights get from file to memory, by what the spec says or the header leaves open."""
    stored = stored_dtype(info)
    if model.dtype is not None and stored is not None:
        told = f"{model.dtype}, as models.{name}.dtype says, of weights stored in {stored}"
        return _Loaded(0, True) if model.dtype == stored else _Loaded(loaded_bytes(info, model.dtype), False, told)
    if info.packing is not None:
        doubt = f"the weights of {name} are packed ({info.packing}): planned as copied, kernels may need more"
        return _Loaded(
            max(info.weights_bytes, float32_bytes(info)), True, "unpacked or repacked while loading", (doubt,)
        )
    if info.load_dtype is not None and not stored_narrow(info):
        stated = info.load_dtype
        doubt = (
            f"config.json of {name} says {stated}, its weights are stored in {stored}: planned as cast to it, with "
            f"what mapping them would take beyond; if the app says the dtype, say it as models.{name}.dtype"
        )
        told = f"{stated} copies: transformers 5 loads in the dtype that config.json says"
        return _Loaded(loaded_bytes(info, stated), True, told, (doubt,))
    if stored_narrow(info):
        doubt = f"{name} is stored in 16 bits: planned as cast to 32, which also breaks the mapping"
        told = "16-bit weights become private 32-bit ones if the app (or transformers 4) casts them"
        return _Loaded(float32_bytes(info), True, told, (doubt,))
    return _Loaded(0, True)


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
