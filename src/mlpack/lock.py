"""Lock: the memory of a render: its world, its inputs, its plan, and the hash of every file it wrote."""

from __future__ import annotations

from typing import Literal

from mlpack.footprint import Footprint
from mlpack.host import HostFacts
from mlpack.model import ModelInfo
from mlpack.noun import Noun
from mlpack.plan import Plan

LOCK_NAME = "mlpack.lock"


class World(Noun):
    """What a render depends on outside git: the machine, and the model files. Stable facts only."""

    host: HostFacts
    models: dict[str, ModelInfo]


class Lock(Noun):
    """mlpack.lock. ``files`` maps each rendered path to the SHA-256 of its text (newlines normalised)."""

    schema_version: Literal[1] = 1
    mlpack_version: str
    profiles: tuple[str, ...]
    world: World
    inputs: dict[str, str]
    """Project file -> SHA-256: mlpack.yaml, profile files, requirements, footprint.json."""
    footprints: dict[str, Footprint]
    plan: Plan
    files: dict[str, str]
