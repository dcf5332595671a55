"""The footprint of one process whose models run on a card: what the card holds, and what the host still does.

Constants that no card has confirmed yet are marked so in docs/gpu.md; a measurement on a card replaces all of this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlpack.estimate.gpu_weights import Weights, weights_on_card
from mlpack.footprint import Footprint, Per, Region, Stage
from mlpack.model import Architecture, ModelInfo
from mlpack.runtimes import activations, llama_cpp
from mlpack.runtimes.kv_cache import CACHE_BYTES, transformers_cache, untold, untold_reason
from mlpack.runtimes.libraries import major_version
from mlpack.runtimes.regions import region
from mlpack.spec import Model, RuntimeName
from mlpack.units import MIB

GPU_RUNTIMES: frozenset[RuntimeName] = frozenset({"torch", "transformers", "tensorflow", "onnxruntime", "llama_cpp"})
"""Runtimes that can compute on an NVIDIA card; scikit-learn and LightGBM's usual wheels can not."""
CONTEXT_BYTES, CONTEXT_LOWER_BYTES = 512 * MIB, 256 * MIB
"""A CUDA context with lazy loading: 274 MiB (torch 1.13, pytorch#86509), about 400 (pytorch#109888), 426 (torch 2.10
with CUDA 13 on an RTX 6000 Ada, unsloth-zoo#1053). Reported, not measured here."""
WORKSPACE_BYTES, WORKSPACE_LOWER_BYTES = 32 * MIB, 8 * MIB
"""cuBLAS's workspace per handle: 8 MiB, on Hopper 32 (ATen/cuda/CublasHandlePool.cpp)."""
CONVOLUTION_WORKSPACE_BYTES = 128 * MIB
"""Scratch memory of cuDNN's convolutions. A guess."""
SEGMENT_BYTES = 20 * MIB
"""torch's allocator takes memory in segments of 2 and 20 MiB (c10/cuda/CUDACachingAllocator.h): one may be empty."""
SLACK_SHARE: dict[RuntimeName, float] = {
    "torch": 0.25,
    "transformers": 0.25,
    "tensorflow": 0.5,
    "onnxruntime": 1.0,
    "llama_cpp": 0.0,
}
"""Of what requests need, what the allocator holds beyond it. ONNX Runtime's arena grows to the next power of two,
TensorFlow's doubles its regions, llama.cpp allocates once. Guesses, but for the last."""
HOST_CUDA_BYTES = 1024 * MIB
"""Host memory of CUDA's libraries once a context exists: 113 MiB more after one tensor, up to 1.7 GiB in one report
(pytorch#113326). A guess in between, on the high side: a limit below the need kills, one above it costs nothing."""
LARGEST_SHARE = 0.1
"""Of a model, the largest tensor, which passes through the host alone; more than any embedding of sixteen models but
those under 1 billion parameters."""


@dataclass(frozen=True)
class ModelOnCard:
    """One model's regions, and why they are wide."""

    regions: tuple[Region, ...]
    dtype: str | None
    widened: tuple[str, ...]


def on_card(
    cpu: Footprint,
    models: Mapping[str, tuple[Model, ModelInfo, RuntimeName]],
    requirements: Sequence[str] | None,
    *,
    windows: bool = False,
) -> Footprint | None:
    """``cpu``, the footprint on a processor, as it is with all ``models`` on one card; None where that cannot be.

    Times stay those of a processor: an upper bound. ``windows``: the server keeps no more than the window of layers
    that have one (``estimate.service.keeps_windows``).
    """
    if not models or any(runtime not in GPU_RUNTIMES for _, _, runtime in models.values()):
        return None
    major = major_version(requirements or (), "transformers")
    sized = {name: model_on_card(name, *one, major, windows=windows) for name, one in models.items()}
    regions = [r for r in cpu.regions if r.stage == "import"]
    regions += _process_regions({runtime for _, _, runtime in models.values()})
    for one in sized.values():
        regions += one.regions
    widened = tuple(reason for one in sized.values() for reason in one.widened)
    note = "no card was measured: context, workspace and allocator slack are reported or guessed numbers"
    kept = tuple(r for r in regions if r.bytes > 0)
    return cpu.model_copy(update={"regions": kept, "source": "estimated", "widened": (*widened, note)})


def model_on_card(
    name: str, model: Model, info: ModelInfo, runtime: RuntimeName, major: int | None, *, windows: bool = False
) -> ModelOnCard:
    """One model: weights, cache, activations and slack on the card; the way through the host."""
    weights = weights_on_card(name, model, info, runtime, major)
    found = [
        _gpu(f"{name} weights", "load", "process", weights.bytes, lower=weights.lower_bytes, because=weights.because)
    ]
    found += _host_load(name, info, runtime, weights)
    if runtime == "llama_cpp":
        parts, widened = _llama_cpp(name, model, info, windows=windows)
    else:
        parts, widened = _request(name, model, info, runtime, weights)
    return ModelOnCard((*found, *parts), weights.dtype, (*weights.widened, *widened))


def _process_regions(runtimes: set[RuntimeName]) -> list[Region]:
    """What every process has on a card and on the host because of CUDA, however many models."""
    told = "the driver's own, its kernels loaded as they are used (274 to 426 MiB were reported)"
    found = [
        _gpu("CUDA context", "import", "process", CONTEXT_BYTES, lower=CONTEXT_LOWER_BYTES, because=told),
        region(
            "CUDA libraries on the host",
            "load",
            "anonymous",
            "process",
            HOST_CUDA_BYTES,
            lower=0,
            because="a guess: 113 MiB to 1.7 GiB were reported",
        ),
    ]
    if runtimes != {"llama_cpp"}:
        told = "cuBLAS's scratch memory: 8 MiB a handle, on Hopper 32"
        found.append(_gpu("workspace", "serve", "process", WORKSPACE_BYTES, lower=WORKSPACE_LOWER_BYTES, because=told))
    return found


def _host_load(name: str, info: ModelInfo, runtime: RuntimeName, weights: Weights) -> list[Region]:
    """Host memory that the weights pass through while loading."""
    if runtime in ("transformers", "llama_cpp") and info.mappable:
        share = max(info.weights_bytes * LARGEST_SHARE, min(info.weights_bytes, 64 * MIB))
        because = "tensor by tensor from the mapped file: the largest one at a time"
    elif runtime == "torch":
        share = weights.bytes + info.weights_bytes
        because = "the module is made on the host and the file is read into it before it moves to the card"
    else:
        share = info.size_bytes
        because = "the file is read into memory before its weights are on the card"
    return [region(f"{name} on its way", "load", "anonymous", "moment", share, lower=0, because=because)]


def _request(
    name: str, model: Model, info: ModelInfo, runtime: RuntimeName, weights: Weights
) -> tuple[list[Region], tuple[str, ...]]:
    """Activations, last token's logits, cache, and what the allocator holds beyond; per request at once."""
    architecture = info.architecture
    # fp8, int8 and int4 weights are multiplied by activations of 16 bits
    element = 4.0 if weights.dtype in (None, "fp32") else 2.0
    plain = info
    if architecture is not None and architecture.family in ("decoder", "encoder-decoder"):
        encoder = architecture.model_copy(update={"family": "encoder"})
        plain = info.model_copy(update={"architecture": encoder})
    needs = activations.of_request(name, model, plain, eager=runtime == "tensorflow")
    stacks = 2 if architecture is not None and architecture.family == "encoder-decoder" else 1
    active = needs.bytes * stacks * element / activations.FLOAT_BYTES
    lower = needs.lower_bytes * element / activations.FLOAT_BYTES
    widened = needs.widened
    held = active
    found = [_gpu(f"{name} activations", "serve", "request", active, lower=lower, because=needs.because)]
    if architecture is not None and architecture.family in ("decoder", "encoder-decoder"):
        cache, more = _cache(name, model, architecture, element)
        batch = model.max_input.batch if model.max_input else 1
        logits = batch * (architecture.vocabulary or 0) * activations.FLOAT_BYTES
        told = "scores over the vocabulary for the last token of each sequence, in fp32"
        found += [cache, _gpu(f"{name} logits", "serve", "request", logits, lower=0, because=told)]
        held += cache.bytes
        widened = (*widened, *more)
    elif architecture is None or architecture.family != "encoder":
        told = "scratch memory of cuDNN's convolutions, a guess"
        found.append(_gpu(f"{name} workspace", "serve", "process", CONVOLUTION_WORKSPACE_BYTES, lower=0, because=told))
    slack = SLACK_SHARE[runtime] * held
    told = f"what the allocator holds beyond what is in use: {SLACK_SHARE[runtime]:.0%}, a guess"
    found.append(_gpu(f"{name} allocator slack", "serve", "request", slack, lower=0, because=told))
    found.append(
        _gpu(
            f"{name} segment",
            "load",
            "process",
            SEGMENT_BYTES,
            lower=0,
            because="one of the allocator's segments, unused",
        )
    )
    return found, widened


def _cache(name: str, model: Model, architecture: Architecture, element: float) -> tuple[Region, tuple[str, ...]]:
    tokens, widened = activations.tokens_of(name, model.max_input, architecture)
    batch = model.max_input.batch if model.max_input else 1
    size = CACHE_BYTES[model.cache_dtype] if model.cache_dtype else element
    cache = transformers_cache(architecture, tokens, size)
    if architecture.stateful_layers:
        widened = (*widened, f"{name} has {architecture.stateful_layers} layers with a state that is not counted")
    if cache is None:
        cache, widened = untold(tokens), (*widened, untold_reason(name))
    told = cache.because if batch == 1 else f"{batch} sequences: {cache.because}"
    return _gpu(
        f"{name} KV cache", "serve", "request", cache.bytes * batch, lower=cache.lower_bytes * batch, because=told
    ), widened


def _llama_cpp(name: str, model: Model, info: ModelInfo, *, windows: bool) -> tuple[list[Region], tuple[str, ...]]:
    """llama.cpp with every layer on the card: cache and compute buffer there, vocabulary and sampler on the host."""
    sized = llama_cpp.size(name, model, info, windows=windows)
    found = []
    for one in sized.regions:
        if one.name.endswith(("compute buffer", "KV cache")):
            found.append(one.model_copy(update={"kind": "gpu"}))
        elif one.name.endswith("buffers"):
            found.append(one)
    return found, sized.widened


def _gpu(name: str, stage: Stage, per: Per, count: float, *, lower: float, because: str) -> Region:
    return region(name, stage, "gpu", per, count, lower=lower, because=because)
