"""Variables of the Hugging Face hub's client: whether a start-up may wait for a network."""

from __future__ import annotations

from collections.abc import Sequence

from mlpack.plan import Decided
from mlpack.spec import Model


def hub_environment(models: Sequence[Model]) -> dict[str, Decided[str]]:
    """HF_HUB_OFFLINE=1 where every model is a file of the project, so that no start-up asks a hub for anything.

    Not where a model is named by its hub: its cache volume is filled by the first start.
    """
    if not models or any(model.hub is not None for model in models):
        return {}
    because = "every model is a file of the project: nothing is to be fetched at start"
    return {"HF_HUB_OFFLINE": Decided(value="1", source="default", because=because)}


def how_to_fetch(name: str) -> str:
    """The command that brings hub model ``name`` here: only Ollama's names have a tag."""
    return f"ollama pull {name}" if ":" in name else f"hf download {name}"
