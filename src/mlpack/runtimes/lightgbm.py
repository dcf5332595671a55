"""LightGBM models in its text format: parsed into trees, private to each worker."""

from __future__ import annotations

from mlpack.model import ModelInfo
from mlpack.plan import Decided
from mlpack.runtimes import activations, regions, times
from mlpack.runtimes.base import Sized
from mlpack.runtimes.facts import facts
from mlpack.runtimes.measured import measured
from mlpack.runtimes.threads import openmp_environment
from mlpack.spec import Model

FACTS = facts(
    "lightgbm",
    measured().lightgbm,
    packages=("lightgbm",),
    modules=("lightgbm",),
    formats=("lightgbm",),
    pool="openmp",
    fork_safe="unproven",  # OpenMP after fork can deadlock (LightGBM#4751)
)
LOADED_FACTOR = 1.0
"""Trees over text: 0.76 at 15 MB (300 trees of 511 leaves), 0.65 at 63 MB; measured with lightgbm 4.7, rounded up."""
LOWER_FACTOR = 0.5
TRANSIENT_FACTOR = 1.2
"""The peak while parsing was 2.0 and 1.6 times the same files; measured, with room above."""


def size(name: str, model: Model, info: ModelInfo) -> Sized:
    """Trees of about the text's size, and the text itself while it is parsed."""
    needs = activations.of_rows(name, model)
    found = (
        regions.weights(
            name,
            "anonymous",
            LOADED_FACTOR * info.size_bytes,
            lower=LOWER_FACTOR * info.size_bytes,
            because=f"{LOADED_FACTOR} x {info.size_bytes:,} bytes of text",
        ),
        regions.transient(
            name, TRANSIENT_FACTOR * info.size_bytes, lower=0, because="the text is read whole before it is parsed"
        ),
        regions.activations(name, needs.bytes, lower=needs.lower_bytes, because=needs.because),
    )
    return Sized(
        regions=found,
        load_s=times.load_s(info, copied=True),
        request_s=1.0,
        widened=(*needs.widened, times.WIDE_TIMES),
    )


def environment(threads: int, *, shared_cores: bool) -> dict[str, Decided[str]]:
    """OpenMP threads; LightGBM's ``num_threads`` defaults to them."""
    return openmp_environment(threads, shared_cores=shared_cores)
