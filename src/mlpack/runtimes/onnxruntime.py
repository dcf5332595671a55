"""ONNX Runtime: weights are copied, repacked and optimised, so that memory is a multiple of the file."""

from __future__ import annotations

from mlpack.model import ModelInfo
from mlpack.plan import Decided
from mlpack.runtimes import activations, regions, times
from mlpack.runtimes.base import Sized
from mlpack.runtimes.facts import facts
from mlpack.runtimes.loading import float32_bytes, stored_narrow
from mlpack.runtimes.measured import measured
from mlpack.runtimes.threads import decided_threads
from mlpack.spec import Model
from mlpack.units import MIB

FACTS = facts(
    "onnxruntime",
    measured().onnxruntime,
    packages=("onnxruntime",),
    modules=("onnxruntime",),
    formats=("onnx",),
    pool="pool",
    fork_safe="unproven",  # worked in one measurement (docs/memory.md, preload); a proof belongs to each model
)
CONVOLUTION_FACTOR = 2.8
"""Anonymous memory over the file, weights inside: convolutions are kept a second time in the layout of the processor's
vector units (ORT's NCHWc). Files of 4.5, 10 and 23 MiB took 15, 30 and 68 MiB, the session's own 8 included."""
MATRIX_FACTOR = 1.6
"""Of matrices the original is freed once it is packed: 1.14 at 85M parameters of equal blocks (bench/footprint), 1.54
at 110M with a vocabulary of a quarter of the weights (637 of 414 MiB, docs/memory.md)."""
SESSION_BYTES = 8 * MIB
"""Beside the weights; it dominates small models: files of 4.5, 10 and 23 MiB took 15, 30 and 68 MiB (ORT 1.32)."""
EXTERNAL_FACTOR, EXTERNAL_MATRIX_FACTOR = 1.5, 1.1
"""The same with external data: 329 of 414 MiB at 110M, so 0.8; 1.03 for the blocks. Convolutions were not measured."""
EXTERNAL_LOWER_FACTOR = 0.5


def size(name: str, model: Model, info: ModelInfo) -> Sized:
    """A multiple of the file, by whether the weights are inside the .onnx file or beside it."""
    external = len(info.files) > 1
    convolved = not info.dtypes or (info.architecture is not None and info.architecture.family == "convolutional")
    stored = max(float32_bytes(info), info.size_bytes)  # the factors were measured over the file; 16-bit ones are cast
    if external:
        factor, lower = (EXTERNAL_FACTOR if convolved else EXTERNAL_MATRIX_FACTOR), EXTERNAL_LOWER_FACTOR
    else:
        factor, lower = (CONVOLUTION_FACTOR if convolved else MATRIX_FACTOR), 1.0
    where = "beside" if external else "inside"
    needs = activations.of_request(name, model, info)
    found = [
        regions.weights(
            name,
            "anonymous",
            factor * stored + SESSION_BYTES,
            lower=lower * info.weights_bytes,
            because=f"{factor} x {stored:,} bytes: weights {where} the .onnx file are copied and repacked",
        ),
        regions.activations(name, needs.bytes, lower=needs.lower_bytes, because=needs.because),
        *regions.creep(name, needs.creep_bytes),
    ]
    wide = f"ONNX Runtime holds 0.8-2.8 times the weights of {name}, by operator and place: {factor} planned"
    if stored_narrow(info):
        wide = f"{name} is stored in 16 bits: planned as cast to 32, as most operators on a CPU need; {wide}"
    return Sized(
        regions=tuple(found),
        load_s=times.load_s(info, copied=True),
        request_s=times.request_s(name, model, info),
        widened=(*needs.widened, wide, times.WIDE_TIMES),
    )


def environment(threads: int, *, shared_cores: bool) -> dict[str, Decided[str]]:  # noqa: ARG001 - see below
    """NumPy's threads, and ONNX Runtime's own in versions that read a variable: 1.32 does (seen in its thread count).

    Versions before it (onnxruntime#29688) take threads only from ``SessionOptions.intra_op_num_threads``: the app reads
    ``{from: web.threads}``.
    """
    return {
        "ORT_INTRA_OP_NUM_THREADS": decided_threads(threads, "ONNX Runtime's pool, in versions that read it"),
        "OMP_NUM_THREADS": decided_threads(threads, "libraries beside ONNX Runtime that use OpenMP"),
        "OPENBLAS_NUM_THREADS": decided_threads(threads, "NumPy's linear algebra"),
    }
