"""A model file or folder without a spec: what its header says, and what it needs under its likely runtime."""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.estimate import imports
from mlpack.footprint import Footprint
from mlpack.model import ModelInfo
from mlpack.runtimes import RUNTIMES
from mlpack.runtimes.detect import candidates
from mlpack.spec import Model, RuntimeName

NAME = "model"
"""What the one model is called in regions and reasons."""


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
    sized = RUNTIMES[chosen].size(NAME, wanted, info)
    others = tuple(name for name in found if name != chosen)
    doubt = [f"{' or '.join(others)} may serve it as well (--runtime): planned under {chosen}"] if others else []
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
        widened=tuple(_by_option(reason) for reason in (*([] if runtime else doubt), *sized.widened)),
    )
    return PathEstimate(info=info, runtime=chosen, footprint=footprint)


OPTIONS = {
    f"models.{NAME}.max_input.tokens is not set": "--tokens is not given",
    f"say models.{NAME}.max_input (shape of a row, and batch)": "give --shape (of a row) and --batch",
    f"say models.{NAME}.max_input (shape and batch, or tokens)": "give --shape and --batch, or --tokens",
    f"say it as models.{NAME}.dtype": "say it as --dtype",
}
"""What a project says in mlpack.yaml, and the option that says it of a path."""


def _by_option(reason: str) -> str:
    for key, option in OPTIONS.items():
        reason = reason.replace(key, option)
    return reason
