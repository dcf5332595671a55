"""A model file or folder without a spec: what its header says, and what it needs under its likely runtime."""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.estimate import imports
from mlpack.footprint import Footprint
from mlpack.model import ModelInfo
from mlpack.runtimes import RUNTIMES
from mlpack.runtimes.detect import candidates
from mlpack.spec import Model, RuntimeName


@dataclass(frozen=True)
class PathEstimate:
    """``footprint`` is one process with nothing but runtime and model; None where no runtime of mlpack's serves it."""

    info: ModelInfo
    runtime: RuntimeName | None
    footprint: Footprint | None


def estimate_path(info: ModelInfo, *, runtime: RuntimeName | None = None, model: Model | None = None) -> PathEstimate:
    """One process that imports the runtime and loads the model. No app, no server.

    ``runtime`` None takes the first that can serve the format. ``model`` may carry the largest input.
    """
    wanted = model or Model(path=info.files[0].path if info.files else None)
    found = candidates(RUNTIMES, info, None)
    chosen = runtime or (found[0] if found else None)
    if chosen is None:
        return PathEstimate(info=info, runtime=None, footprint=None)
    sized = RUNTIMES[chosen].size("model", wanted, info)
    others = tuple(name for name in found if name != chosen)
    doubt = (f"{' or '.join(others)} may serve it as well: planned under {chosen}",) if others and not runtime else ()
    footprint = Footprint(
        service="model",
        source="estimated",
        regions=(
            *imports.runtime_regions(imports.in_play([chosen])),
            *(region for region in sized.regions if region.bytes > 0),
            imports.kernel_region(),
        ),
        load_s=RUNTIMES[chosen].FACTS.import_s + sized.load_s,
        request_s=sized.request_s,
        widened=(*doubt, *sized.widened),
    )
    return PathEstimate(info=info, runtime=chosen, footprint=footprint)
