"""Which machine and which models a render is for: those of the lock, so that every machine renders the same bytes.

A lock's world is replaced only on demand (--reprobe, --host). Weights that are present must be the lock's; where
they are absent (CI, a fresh clone) the lock speaks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mlpack.errors import ModelFileError, StaleError
from mlpack.host import HostFacts
from mlpack.lock import Lock, World
from mlpack.model import ModelInfo
from mlpack.probe.compare import differences, stable
from mlpack.runtimes.hub import how_to_fetch
from mlpack.spec import Model


def world_for_render(
    lock: Lock | None,
    models: Mapping[str, Model],
    present: Mapping[str, ModelInfo | None],
    *,
    probed: Callable[[], HostFacts] | None,
    reprobe: bool = False,
    host: HostFacts | None = None,
) -> tuple[World, tuple[str, ...]]:
    """The world to plan for, and what to tell the user about it.

    ``models`` are the spec's; ``present`` maps those that have files to what their headers say, None where the files
    are absent. ``probed`` is called only without a lock, on ``reprobe``, or to compare; None (--check) never probes.
    ``host`` (--host) counts in place of this machine. Raises StaleError where present weights are not the lock's,
    ModelFileError where absent ones are not in the lock.
    """
    renew = reprobe or host is not None
    notes: tuple[str, ...] = ()
    if lock is not None and not renew:
        facts = lock.world.host
        if probed is not None and (differs := differences(facts, probed())):
            notes = (
                "planned for the machine in mlpack.lock, not for this one (--reprobe takes this one):",
                *differs,
            )
    elif host is not None:
        facts = stable(host)
    elif probed is not None:
        facts = stable(probed())
    else:
        raise ValueError("without a lock and without a host there is nothing to plan for")
    chosen = {name: _model(lock, name, models[name], info, renew) for name, info in present.items()}
    return World(host=facts, models=chosen), notes


def _model(lock: Lock | None, name: str, wanted: Model, present: ModelInfo | None, renew: bool) -> ModelInfo:
    locked = _locked_model(lock, name, wanted)
    if present is None:
        if locked is None:
            first = (
                "put the model's files there" if wanted.path else f"fetch it once ({how_to_fetch(wanted.hub or '')})"
            )
            raise ModelFileError(
                f"{wanted.path or wanted.hub} is not here, and mlpack.lock does not describe it",
                where=f"models.{name}",
                hint=f"{first}, or render where they are and commit mlpack.lock",
            )
        return locked
    if locked is None or renew:
        return present
    was = {file.path: (file.size_bytes, file.header_sha256) for file in locked.files}
    now = {file.path: (file.size_bytes, file.header_sha256) for file in present.files}
    if was != now:
        first = next(path for path in sorted({*was, *now}) if was.get(path) != now.get(path))
        raise StaleError(
            f"{first} is not the file that mlpack.lock describes: {_words(was.get(first), now.get(first))}",
            where=f"models.{name}",
            hint="put the locked weights back, or take the new ones into the lock: mlpack render ... --reprobe",
        )
    return locked


def _locked_model(lock: Lock | None, name: str, wanted: Model) -> ModelInfo | None:
    """What the lock says of model ``name``; None where the spec names other files now."""
    if lock is None or name not in lock.world.models:
        return None
    before = lock.plan.spec.models.get(name)
    same = before is not None and (before.path, before.hub) == (wanted.path, wanted.hub)
    return lock.world.models[name] if same else None


def _words(was: tuple[int, str] | None, now: tuple[int, str] | None) -> str:
    if was is None:
        return "the lock does not know it"
    if now is None:
        return "it is gone"
    if was[0] != now[0]:
        return f"{now[0]:,} bytes here, {was[0]:,} in the lock"
    return "same size, other header"
