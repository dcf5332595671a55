"""What a measurement says: the footprint for the planner, and each stage's reading for people."""

from __future__ import annotations

from typing import Literal

from mlpack.footprint import Footprint
from mlpack.noun import Noun

StageName = Literal["interpreter", "libraries", "app", "startup", "first", "alone", "together", "idle"]


FRESH: frozenset[StageName] = frozenset(("interpreter", "libraries", "app", "startup", "first"))
"""Stages at whose end the marks of referenced pages are taken off: what the later ones show is in use while serving."""


class CardReading(Noun):
    """The process on its cards at the end of a stage; peaks on the way. Bytes; None: nobody told."""

    process_bytes: int | None = None
    """NVML: context, libraries and allocators together."""
    used_bytes: int | None = None
    """The framework: its tensors."""
    used_peak_bytes: int | None = None
    held_bytes: int | None = None
    """The framework: its allocator, tensors included."""
    held_peak_bytes: int | None = None


class StageReading(Noun):
    """The process (with all that it started) when a stage had ended, and its peaks on the way. Bytes."""

    name: StageName
    seconds: float
    pss_bytes: int
    uss_bytes: int
    rss_bytes: int
    anonymous_bytes: int
    anonymous_peak_bytes: int
    mapped_bytes: int
    """File pages, each once; of them ``mapped_weights_bytes`` are the models' files."""
    mapped_weights_bytes: int
    mapped_by_model: dict[str, int] = {}
    """The same of each model, where there are several."""
    libraries_in_use_bytes: int | None = None
    """Of the mapped pages that are no model's, those touched since a stage of ``FRESH`` ended; None: nothing tells."""

    @property
    def libraries_bytes(self) -> int:
        """File pages that are no model's, touched at any time."""
        return self.mapped_bytes - self.mapped_weights_bytes

    shm_bytes: int
    kernel_bytes: int
    rss_peak_bytes: int
    threads: int
    card: CardReading | None = None
    """None: it uses no card."""


class MeasureResult(Noun):
    """One measured worker."""

    footprint: Footprint
    stages: tuple[StageReading, ...]
    interface: Literal["wsgi", "asgi", "task", "function"]
    loaded_at: Literal["import", "startup"]
    """Where the models are loaded: only what is loaded at import is shared by preloading."""
    python: str
    notes: tuple[str, ...] = ()
    """What this measurement does not cover, each with its reason."""

    def stage(self, name: StageName) -> StageReading:
        """The reading of stage ``name``."""
        return next(reading for reading in self.stages if reading.name == name)
