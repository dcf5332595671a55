"""TensorFlow and Keras: weights are copied into variables, and TensorFlow is not fork-safe."""

from __future__ import annotations

from mlpack.model import ModelInfo
from mlpack.plan import Decided
from mlpack.runtimes import activations, regions, times
from mlpack.runtimes.base import Sized
from mlpack.runtimes.facts import facts
from mlpack.runtimes.measured import measured
from mlpack.runtimes.threads import decided_threads
from mlpack.spec import Model
from mlpack.units import MIB

FACTS = facts(
    "tensorflow",
    measured().tensorflow,
    packages=("tensorflow", "tensorflow-cpu", "keras", "tf-keras"),
    modules=("tensorflow",),
    formats=("keras", "hdf5", "savedmodel"),
    pool="pool",
    fork_safe="no",  # hung on every request after a preload (docs/memory.md, preload)
)
LOADED_FACTOR = 2.1
"""Anonymous memory after load over the stored bytes: 248 of 118 MiB for a .keras U-Net (docs/memory.md)."""
TRANSIENT_FACTOR = 1.5
"""What loading needs beyond that: 172 of 118 MiB for the same file."""
EAGER_CONTEXT_BYTES = 64 * MIB
"""TensorFlow's own context, created with the first variable; it dominates small models."""


def size(name: str, model: Model, info: ModelInfo) -> Sized:
    """Weights copied twice or so, and activations as if called eagerly: the code decides, not the file."""
    stored = info.weights_bytes
    needs = activations.of_request(name, model, info, eager=True)
    found = [
        regions.weights(
            name,
            "anonymous",
            LOADED_FACTOR * stored + EAGER_CONTEXT_BYTES,
            lower=stored,
            because=f"{LOADED_FACTOR} x {stored:,} stored bytes + TensorFlow's context",
        ),
        regions.transient(
            name, TRANSIENT_FACTOR * stored, lower=0, because="the file's arrays are read before the variables are set"
        ),
        regions.activations(name, needs.bytes, lower=needs.lower_bytes, because=needs.because),
        *regions.creep(name, needs.creep_bytes),
    ]
    eager = f"{name} may be called as model(x), which needs twice what model.predict() needs: planned for model(x)"
    return Sized(
        regions=tuple(found),
        load_s=times.load_s(info, copied=True),
        request_s=times.request_s(name, model, info),
        widened=(*needs.widened, eager, times.WIDE_TIMES),
    )


def environment(threads: int, *, shared_cores: bool) -> dict[str, Decided[str]]:  # noqa: ARG001 - its pools don't spin
    """TensorFlow's two pools; by default both follow the CPU affinity and ignore a CPU quota (docs/facts.md)."""
    return {
        "TF_NUM_INTRAOP_THREADS": decided_threads(threads, "TensorFlow's pool within one operation"),
        "TF_NUM_INTEROP_THREADS": Decided(
            value="1", source="default", because="operations run one after another; their own pool has the threads"
        ),
        "OMP_NUM_THREADS": decided_threads(threads, "libraries beside TensorFlow that use OpenMP"),
        "OPENBLAS_NUM_THREADS": decided_threads(threads, "NumPy's linear algebra"),
    }
