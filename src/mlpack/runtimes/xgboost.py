"""XGBoost models: parsed into trees, private to each worker. As JSON text they take four times what UBJSON takes."""

from __future__ import annotations

from pathlib import PurePosixPath

from mlpack.model import ModelInfo
from mlpack.plan import Decided
from mlpack.runtimes import activations, regions, times
from mlpack.runtimes.base import Sized
from mlpack.runtimes.facts import facts
from mlpack.runtimes.measured import measured
from mlpack.runtimes.threads import openmp_environment
from mlpack.spec import Model
from mlpack.units import MIB

FACTS = facts(
    "xgboost",
    measured().xgboost,
    packages=("xgboost", "xgboost-cpu"),
    modules=("xgboost",),
    formats=("xgboost",),
    pool="openmp",
    fork_safe="unproven",  # OpenMP after fork can deadlock (XGBoost#8040)
)
BINARY_FACTOR, TEXT_FACTOR = 2.8, 11.5
"""Kept after load over the file: 2.6 and 2.7 as UBJSON of 15 and 11 MiB, 11.3 as JSON of 24 and 17 MiB, whose parsed
document is not given back to the system; xgboost-cpu 3.2, depth 10."""
TRANSIENT_FACTOR = 1.2
"""The peak while loading, beyond that: 1.1 of the file for both."""
BOOSTER_BYTES = 4 * MIB
"""Beside the trees: 2 to 4 MiB for a model of 0.4 MiB."""
LOWER_FACTOR = 0.5


def size(name: str, model: Model, info: ModelInfo) -> Sized:
    """A multiple of the file: by its suffix, which is what XGBoost itself tells JSON from UBJSON by."""
    text = any(PurePosixPath(file.path).suffix == ".json" for file in info.files)
    factor, what = (TEXT_FACTOR, "JSON") if text else (BINARY_FACTOR, "UBJSON")
    needs = activations.of_rows(name, model)
    found = (
        regions.weights(
            name,
            "anonymous",
            factor * info.size_bytes + BOOSTER_BYTES,
            lower=LOWER_FACTOR * info.size_bytes,
            because=f"{factor} x {info.size_bytes:,} bytes of {what}",
        ),
        regions.transient(
            name, TRANSIENT_FACTOR * info.size_bytes, lower=0, because="the file is read whole before it is parsed"
        ),
        regions.activations(name, needs.bytes, lower=needs.lower_bytes, because=needs.because),
    )
    hint = (f"{name} is JSON: saved as .ubj it needs a quarter of the memory",) if text else ()
    return Sized(
        regions=found,
        load_s=times.load_s(info, copied=True) * (4 if text else 1),
        request_s=1.0,
        widened=(*hint, *needs.widened, times.WIDE_TIMES),
    )


def environment(threads: int, *, shared_cores: bool) -> dict[str, Decided[str]]:
    """OpenMP threads; XGBoost's ``nthread`` defaults to them."""
    return openmp_environment(threads, shared_cores=shared_cores)
