"""PyTorch called by the app itself: ``torch.load`` or safetensors into a module. Weights are planned as copied."""

from __future__ import annotations

from mlpack.footprint import Region
from mlpack.model import ModelInfo
from mlpack.plan import Decided
from mlpack.runtimes import activations, regions, times
from mlpack.runtimes.base import Sized
from mlpack.runtimes.facts import facts
from mlpack.runtimes.loading import float32_bytes, loaded_bytes, stored_dtype, stored_narrow
from mlpack.runtimes.measured import measured
from mlpack.runtimes.threads import openmp_environment
from mlpack.spec import Model
from mlpack.units import MIB

FACTS = facts(
    "torch",
    measured().torch,
    packages=("torch",),
    modules=("torch",),
    formats=("pytorch", "safetensors", "transformers"),
    pool="openmp",
    fork_safe="unproven",  # worked without, hung after an inference before the fork (docs/memory.md, preload)
)
LOADED_OVERHEAD_BYTES = 8 * MIB
"""Python objects of the modules: 3 MiB at 110M parameters, 6 MiB at 410M (docs/memory.md)."""


def size(name: str, model: Model, info: ModelInfo) -> Sized:
    """Copied weights and as much again while loading: the module is built first, then the file is read into it.

    A mapped file (``mmap=True`` with ``assign=True``, safetensors without a copy) needs a quarter: the app's code
    decides, no header tells. Measured at 110M, transformers imported for the module's class: 421 MiB after load and 837
    at the peak, of 418 MiB stored (docs/memory.md). 16-bit weights become 32-bit ones, unless the spec says a dtype.
    """
    copied = float32_bytes(info)
    kept = loaded_bytes(info, model.dtype) if model.dtype is not None and stored_dtype(info) else copied
    widened: tuple[str, ...] = (times.WIDE_TIMES,)
    if info.mappable:
        widened = (f"the loader of {name} is unknown: planned as copied; mapped weights need a quarter", *widened)
    if stored_narrow(info) and model.dtype is None:
        widened = (f"{name} is stored in 16 bits and planned as cast to 32", *widened)
    needs = activations.of_request(name, model, info)
    by_pages = info.mappable and info.format != "pytorch"  # torch.load reads unless told mmap=True: the same sum
    lower = 0 if by_pages else info.weights_bytes
    found = [
        regions.weights(
            name,
            "anonymous",
            kept + LOADED_OVERHEAD_BYTES,
            lower=min(lower, kept),
            because=f"{info.weights_bytes:,} stored bytes, copied by the loader",
        ),
        _left(name, copied)
        if info.format == "pytorch"
        else regions.transient(
            name, copied, lower=0, because="the module's initial weights and the file's are both there while loading"
        ),
    ]
    if by_pages:
        found.append(
            regions.region(
                f"{name} file",
                "load",
                "mapped",
                "process",
                info.weights_bytes,
                lower=info.weights_bytes,
                because="the file's pages while its weights are read; they stay where the loader maps them",
            )
        )
    found.append(regions.activations(name, needs.bytes, lower=needs.lower_bytes, because=needs.because))
    found.extend(regions.creep(name, needs.creep_bytes))
    return Sized(
        regions=tuple(found),
        load_s=times.load_s(info, copied=True),
        request_s=times.request_s(name, model, info),
        widened=(*needs.widened, *widened),
    )


def _left(name: str, copied: int) -> Region:
    """What ``torch.load`` made beside the module: as much again while loading, and all or nothing of it afterwards.

    A file's tensors are freed one by one between others', which the C library's allocator may keep for later: 326 MiB
    of 324 in an encoder of 85M parameters, none in a convolutional net of 24M or a BERT of 110M (bench/footprint).
    """
    return regions.region(
        f"{name} read from the file",
        "load",
        "anonymous",
        "process",
        copied,
        lower=0,
        because="beside the module's own weights while loading; the allocator may keep it afterwards",
    )


def environment(threads: int, *, shared_cores: bool) -> dict[str, Decided[str]]:
    """OpenMP, MKL and OpenBLAS threads; sleeping waiters where cores are shared."""
    return openmp_environment(threads, shared_cores=shared_cores)
