"""Answers one question for ``mlpack render --check``: would render write? Pure; it never probes and never writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from mlpack.artifact import Artifact
from mlpack.lock import LOCK_NAME, Lock
from mlpack.noun import Noun
from mlpack.write.changes import Changes
from mlpack.write.diff import diff


class CheckOutcome(Noun):
    """``code`` is the exit code: 0 render would write nothing, 1 it would (or refuses), 2 there is no lock."""

    code: Literal[0, 1, 2]
    reasons: tuple[str, ...] = ()
    """One a line: inputs that changed, files that were edited, are missing or stale."""
    diff: str = ""
    """Unified diff from the disk to what render would write."""
    mend: str | None = None
    """The command that makes the check pass."""


def no_lock(where: str, command: str) -> CheckOutcome:
    """The outcome where there is no lock at ``where``: nothing was rendered, or its memory was deleted."""
    return CheckOutcome(code=2, reasons=(f"{where} does not exist: nothing was rendered here",), mend=command)


def check(
    old: Lock,
    new: Lock,
    artifacts: Sequence[Artifact],
    changes: Changes,
    disk: Mapping[str, str | None],
    *,
    command: str,
) -> CheckOutcome:
    """Whether render would change anything, and why. ``changes`` and ``disk`` are what ``preview`` gave (no force);
    ``command`` is the render command without options."""
    if changes.nothing:
        return CheckOutcome(code=0)
    reasons = [
        *input_reasons(old, new),
        *(refused.words for refused in changes.refused),
        *(f"{path} {'is missing' if disk.get(path) is None else 'is out of date'}" for path in changes.write),
        *(f"{path} is no longer rendered" for path in changes.delete),
        *(f"{path} is as rendered, but {LOCK_NAME} does not say so" for path in changes.adopt),
    ]
    return CheckOutcome(
        code=1,
        reasons=tuple(reasons) or (f"{LOCK_NAME} is out of date",),
        diff=diff(changes, artifacts, disk),
        mend=f"{command} --force  # once the edits are in mlpack.yaml or an override file"
        if changes.refused
        else command,
    )


def input_reasons(old: Lock, new: Lock) -> tuple[str, ...]:
    """Which inputs of the render are not those of the ``old`` lock, by name."""
    words = []
    for name in sorted({*old.inputs, *new.inputs}):
        if name not in new.inputs:
            words.append(f"input {name} is gone")
        elif name not in old.inputs:
            words.append(f"input {name} is new")
        elif old.inputs[name] != new.inputs[name]:
            words.append(f"input {name} changed")
    if old.mlpack_version != new.mlpack_version:
        words.append(f"rendered by mlpack {old.mlpack_version}, this is {new.mlpack_version}")
    if old.profiles != new.profiles:
        words.append(f"rendered for {' '.join(old.profiles)}, not for {' '.join(new.profiles)}")
    words.extend(f"model {name} changed" for name in sorted(new.world.models) if _model_changed(old, new, name))
    if old.world.host != new.world.host:
        words.append("the machine in the lock changed")
    return tuple(words)


def _model_changed(old: Lock, new: Lock, name: str) -> bool:
    return name in old.world.models and old.world.models[name] != new.world.models[name]
