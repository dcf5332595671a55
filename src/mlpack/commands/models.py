"""The models of a project for commands that have no lock to speak for absent files."""

from __future__ import annotations

from mlpack.errors import ModelFileError
from mlpack.flow import Gathered
from mlpack.model import ModelInfo
from mlpack.runtimes.hub import how_to_fetch


def known_models(gathered: Gathered) -> dict[str, ModelInfo]:
    """Every model's header. Raises ModelFileError naming the first that is not here."""
    for name, info in gathered.present.items():
        if info is None:
            model = gathered.spec.models[name]
            hint = "put the model's files there; sizes are read from their headers"
            if model.path is None:
                how = how_to_fetch(model.hub or "")
                hint = f"fetch it once: {how}; sizes are read from its headers in the hub's cache"
            raise ModelFileError(
                f"{model.path or model.hub} is not here", where=gathered.loaded.where(f"models.{name}"), hint=hint
            )
    return {name: info for name, info in gathered.present.items() if info is not None}
