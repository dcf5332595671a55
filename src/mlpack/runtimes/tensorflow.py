"""TensorFlow and Keras: weights are copied into variables, and TensorFlow is not fork-safe."""

from __future__ import annotations

from mlpack.model import ModelInfo
from mlpack.plan import Decided, DecidedStr
from mlpack.runtimes import activations, regions, times
from mlpack.runtimes.base import Sized
from mlpack.runtimes.facts import facts
from mlpack.runtimes.measured import measured
from mlpack.runtimes.threads import decided_threads
from mlpack.spec import Model
from mlpack.units import MIB, show_bytes

FACTS = facts(
    "tensorflow",
    measured().tensorflow,
    packages=("tensorflow", "tensorflow-cpu", "keras", "tf-keras"),
    modules=("tensorflow",),
    formats=("keras", "hdf5", "savedmodel", "checkpoint"),
    pool="pool",
    fork_safe="no",  # hung on every request after a preload (docs/memory.md, preload)
)
LOADED_FACTOR = 4.1
"""Anonymous memory after load over the file, tensorflow-cpu 2.21 with Keras 3.15: 2.1 for a U-Net of 118 MiB
(docs/memory.md), 2.7 and 3.1 for convolutional nets of 72 and 648 MiB, 4.03 where one dense layer is most of 288 MiB,
as a .keras and as a .h5 file. Not given back by the collector nor by ``malloc_trim``."""
TRANSIENT_FACTOR = 2.8
"""The peak while loading, beyond that: 1.5 for the U-Net, 1.5 and 1.0 for the others, 2.8 for the dense one."""
CONVOLVED_FACTOR, CONVOLVED_TRANSIENT_FACTOR = 3.2, 1.6
"""The same where convolutions are most of the weights: the first three nets above."""
EAGER_CONTEXT_BYTES = 16 * MIB
"""TensorFlow's own context, created with the first variable, and the first call: 6 to 14 MiB for a model of 0.1 MiB."""


def size(name: str, model: Model, info: ModelInfo) -> Sized:
    """Weights copied several times, and activations as if called eagerly: the code decides, not the file."""
    stored = max(info.weights_bytes, info.unpacked_bytes or info.size_bytes)  # an optimiser's state is loaded as well
    called_eagerly = info.format != "savedmodel"  # a signature is a graph, which keeps no layer's output
    convolved = info.architecture is not None and info.architecture.family == "convolutional"
    factor, passing = (CONVOLVED_FACTOR, CONVOLVED_TRANSIENT_FACTOR) if convolved else (LOADED_FACTOR, TRANSIENT_FACTOR)
    needs = activations.of_request(name, model, info, eager=called_eagerly)
    found = [
        regions.weights(
            name,
            "anonymous",
            factor * stored + EAGER_CONTEXT_BYTES,
            lower=info.weights_bytes,
            because=f"{factor} x {stored:,} stored bytes + TensorFlow's context",
        ),
        regions.transient(
            name, passing * stored, lower=0, because="the file's arrays are read before the variables are set"
        ),
        regions.activations(name, needs.bytes, lower=needs.lower_bytes, because=needs.because),
        *regions.creep(name, needs.creep_bytes),
    ]
    eager = f"{name} may be called as model(x), which needs twice what model.predict() needs: planned for model(x)"
    packed: tuple[str, ...] = ()
    if info.unpacked_bytes is not None:
        packed = (f"{name} is compressed: all {show_bytes(info.unpacked_bytes)} inside are planned as weights",)
    return Sized(
        regions=tuple(found),
        load_s=times.load_s(info, copied=True),
        request_s=times.request_s(name, model, info),
        widened=(*packed, *needs.widened, *([eager] if called_eagerly else []), times.WIDE_TIMES),
    )


def environment(threads: int, *, shared_cores: bool) -> dict[str, Decided[str]]:  # noqa: ARG001 - its pools don't spin
    """TensorFlow's two pools; by default both follow the CPU affinity and ignore a CPU quota (docs/facts.md)."""
    return {
        "TF_NUM_INTRAOP_THREADS": decided_threads(threads, "TensorFlow's pool within one operation"),
        "TF_NUM_INTEROP_THREADS": DecidedStr(
            value="1", source="default", because="operations run one after another; their own pool has the threads"
        ),
        "OMP_NUM_THREADS": decided_threads(threads, "libraries beside TensorFlow that use OpenMP"),
        "OPENBLAS_NUM_THREADS": decided_threads(threads, "NumPy's linear algebra"),
    }
