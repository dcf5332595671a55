"""What each of several models adds to one worker: memory grows while a model loads, and its files say whose turn it is.

Growth between the first opening of one model's files and of the next one's belongs to the first. Sums stay exact:
what is given to models is taken from what the stage added, never invented. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from mlpack.measure.result import StageName, StageReading
from mlpack.units import show_bytes

LOADING: tuple[tuple[StageName, StageName], ...] = (
    ("libraries", "app"),
    ("app", "startup"),
    ("startup", "first"),
)
"""Stages in which models may be loaded, each with the one before it."""
LEAST_SHARE = 0.5
"""A model that holds less than this of its files' bytes while another holds that much too much was not told apart: a
load as half precision takes half, and nothing common takes less (compressed and quantised files take more)."""


@dataclass(frozen=True)
class Opening:
    """A file of ``model`` was opened in ``stage`` at ``at_s`` (CLOCK_MONOTONIC), when the worker held
    ``anonymous_bytes``. ``exact``: told by the process itself; else by a watcher, a moment later."""

    model: str
    stage: StageName
    anonymous_bytes: int
    at_s: float = 0.0
    exact: bool = True


def in_order(openings: Sequence[Opening]) -> tuple[Opening, ...]:
    """The openings as they came; of a model that told its own turns in a stage, the watcher's are left out."""
    told = {(opening.model, opening.stage) for opening in openings if opening.exact}
    kept = [o for o in openings if o.exact or (o.model, o.stage) not in told]
    return tuple(sorted(kept, key=lambda opening: opening.at_s))


@dataclass(frozen=True)
class Shares:
    """Anonymous bytes by stage and model; models that could not be told apart stand together, joined by " + "."""

    by_stage: Mapping[StageName, Mapping[str, int]] = field(default_factory=dict)
    mapped: Mapping[str, int] = field(default_factory=dict)
    """File pages of each model's files in use after the load, each page once."""
    mapped_hot: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def of(self, stage: StageName) -> Mapping[str, int]:
        """Model (or models) -> anonymous bytes that it added in ``stage``; empty where nothing is known."""
        return self.by_stage.get(stage, {})


def shares(stages: Mapping[StageName, StageReading], openings: Sequence[Opening], sizes: Mapping[str, int]) -> Shares:
    """The share of each model. ``sizes``: bytes of each model's files; fewer than two models are not split."""
    openings = in_order(openings)
    found = {name: _split(stages[before], stages[name], openings) for before, name in LOADING}
    notes = _notes(openings, sizes)
    if len(sizes) < 2:
        return Shares(notes=notes)
    hot = {model: max(stages[name].mapped_by_model.get(model, 0) for name in stages) for model in sizes}
    mapped = {model: stages["startup"].mapped_by_model.get(model, 0) for model in sizes}
    held = {model: sum(split.get(model, 0) for split in found.values()) + hot[model] for model in sizes}
    seen = {opening.model for opening in openings}
    mixed = _mixed(openings) | _unlikely(held, {model: size for model, size in sizes.items() if model in seen})
    if len(mixed) > 1:
        label = " + ".join(name for name in sizes if name in mixed)
        found = {stage: _joined(split, mixed, label) for stage, split in found.items()}
        notes = (*notes, f"{label}: loaded at the same time or in turns, so each one's own part cannot be told")
    return Shares(found, mapped, hot, notes)


def _split(before: StageReading, after: StageReading, openings: Sequence[Opening]) -> dict[str, int]:
    """What each model added between two readings. Memory that was given back before the end counts for nobody."""
    marks = [opening for opening in openings if opening.stage == after.name]
    start, end = before.anonymous_bytes, after.anonymous_bytes
    if not marks or end <= start:
        return {}
    levels = [mark.anonymous_bytes for mark in marks] + [end]
    for index in range(len(levels) - 2, -1, -1):
        levels[index] = min(levels[index], levels[index + 1])
    levels = [max(start, level) for level in levels]
    found: dict[str, int] = {}
    for mark, (low, high) in zip(marks, pairwise(levels), strict=True):
        found[mark.model] = found.get(mark.model, 0) + high - low
    return found


def _mixed(openings: Sequence[Opening]) -> set[str]:
    """Models whose files were opened in turns (A, B, A): what came after the second A may belong to either.

    Looking at a file once more before the next one's first opening is no turn.
    """
    order = [o.model for index, o in enumerate(openings) if index == 0 or openings[index - 1].model != o.model]
    mixed: set[str] = set()
    for model in set(order):
        places = [index for index, name in enumerate(order) if name == model]
        if len(places) > 1:
            mixed |= set(order[places[0] : places[-1] + 1])
    return mixed


def _unlikely(held: Mapping[str, int], sizes: Mapping[str, int]) -> set[str]:
    """Models that hold far less than their files, and those that hold as much too much."""
    lack = {model: size - held[model] for model, size in sizes.items() if held[model] < LEAST_SHARE * size}
    if not lack:
        return set()
    most = max(lack.values())
    return set(lack) | {model for model, size in sizes.items() if held[model] - size >= LEAST_SHARE * most}


def _joined(split: Mapping[str, int], mixed: set[str], label: str) -> dict[str, int]:
    found = {model: size for model, size in split.items() if model not in mixed}
    together = sum(size for model, size in split.items() if model in mixed)
    return {**found, label: together} if together else found


def _notes(openings: Sequence[Opening], sizes: Mapping[str, int]) -> tuple[str, ...]:
    """Models that nobody opened, or only for the first request."""
    first = {model: next((o.stage for o in openings if o.model == model), None) for model in sizes}
    notes = [
        f"{model}: none of its files ({show_bytes(sizes[model])}) was opened; does this service use it?"
        for model, stage in first.items()
        if stage is None
    ]
    late = [model for model, stage in first.items() if stage not in (None, "app", "startup")]
    if late:
        notes.append(
            f"{', '.join(late)}: loaded by the first request, not at start; a health check that answers earlier lets "
            "users wait for the load"
        )
    return tuple(notes)
