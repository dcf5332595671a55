"""scikit-learn models from joblib or pickle: Python objects and arrays, private to each worker."""

from __future__ import annotations

from mlpack.model import ModelInfo
from mlpack.plan import Decided
from mlpack.runtimes import activations, regions, times
from mlpack.runtimes.base import Sized
from mlpack.runtimes.facts import facts
from mlpack.runtimes.measured import measured
from mlpack.runtimes.threads import decided_threads, openmp_environment
from mlpack.spec import Model

FACTS = facts(
    "sklearn",
    measured().sklearn,
    packages=("scikit-learn",),
    modules=("sklearn",),
    formats=("joblib", "pickle"),
    pool="openmp",
    fork_safe="unproven",  # worked in one measurement (docs/memory.md, preload); a proof belongs to each model
)
LOADED_FACTOR = 1.4
"""After load over the file: 384 of 277 MiB, a random forest by joblib (docs/memory.md)."""
TRANSIENT_FACTOR = 0.65
"""More while loading: 171 of 277 MiB, the same forest."""
COMPRESSED_FACTOR = 5.8
"""The same forest compressed: 48 MiB on disk for 277 MiB of arrays. Others compress less, hardly any more."""

EXTRAPOLATED_FACTOR = 1.25
"""Room for a rest that is denser than the part that was unpacked. A guess."""


def size(name: str, model: Model, info: ModelInfo) -> Sized:
    """A multiple of the file, or of what it unpacks to; of six times the file where that was too much to count."""
    needs = activations.of_rows(name, model)
    guessed = info.compressed and info.unpacked_bytes is None
    stored = info.unpacked_bytes or info.size_bytes
    more = COMPRESSED_FACTOR if guessed else EXTRAPOLATED_FACTOR if info.extrapolated else 1
    arrays = max(info.weights_bytes, stored * more)
    unpacked = f"{COMPRESSED_FACTOR} x compressed " if guessed else f"{more} x about " if info.extrapolated else ""
    found = (
        regions.weights(
            name,
            "anonymous",
            LOADED_FACTOR * arrays,
            lower=info.size_bytes,
            because=f"{LOADED_FACTOR} x {unpacked}{stored:,} bytes of file{' unpacked' if info.unpacked_bytes else ''}",
        ),
        regions.transient(
            name, TRANSIENT_FACTOR * arrays, lower=0, because="the unpickler holds arrays twice for a moment"
        ),
        regions.activations(name, needs.bytes, lower=needs.lower_bytes, because=needs.because),
    )
    widened: tuple[str, ...] = (*needs.widened, times.WIDE_TIMES)
    if guessed:
        widened = (
            f"{name} is compressed: its size in memory is a guess ({COMPRESSED_FACTOR} times the file)",
            *widened,
        )
    if info.extrapolated:
        widened = (f"{name} is compressed: what is inside was counted in its first part only", *widened)
    return Sized(
        regions=found,
        load_s=times.load_s(info, copied=True) * (COMPRESSED_FACTOR if info.compressed else 1),
        request_s=1.0,
        widened=widened,
    )


def environment(threads: int, *, shared_cores: bool) -> dict[str, Decided[str]]:
    """OpenMP and BLAS threads, and joblib's idea of how many cores there are."""
    return {
        **openmp_environment(threads, shared_cores=shared_cores),
        "LOKY_MAX_CPU_COUNT": decided_threads(threads, "joblib's workers where n_jobs=-1"),
    }
