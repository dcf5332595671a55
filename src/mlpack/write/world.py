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
from mlpack.spec import Model
from mlpack.units import show_bytes

SAME_SHARE = 0.02
"""Two memory sizes within 2 % are the same machine: a kernel update moves MemTotal by some MiB."""


def stable_facts(host: HostFacts) -> HostFacts:
    """``host`` without what changes from hour to hour or names this machine's folders: fit for version control.

    What is free just now, cgroup paths (they hold session and container ids), the disk, the serial numbers of GPUs
    and the list of unread facts go.
    """
    memory = host.memory.model_copy(update={"available_bytes": None, "swap_free_bytes": None})
    cgroup = host.cgroup.model_copy(update={"path": None, "memory_limit_at": None, "cpu_quota_at": None})
    devices = tuple(
        device.model_copy(update={"memory_free_bytes": None, "processes": None, "uuid": None})
        for device in host.gpus.devices
    )
    return host.model_copy(
        update={
            "memory": memory,
            "cgroup": cgroup,
            "disk": None,
            "gpus": host.gpus.model_copy(update={"devices": devices}),
            "unread": (),
        }
    )


def host_differences(locked: HostFacts, here: HostFacts) -> tuple[str, ...]:
    """Where the machine ``here`` differs from the ``locked`` one in what a plan depends on; empty if in nothing."""
    words = []
    engine_here, engine_locked = here.engine, locked.engine
    sizes = [
        ("memory", locked.memory_bytes, here.memory_bytes),
        ("swap", locked.memory.swap_total_bytes, here.memory.swap_total_bytes),
    ]
    if engine_here and engine_locked:
        sizes.append(("the engine's memory", engine_locked.memory_bytes, engine_here.memory_bytes))
    for name, was, now in sizes:
        if abs(was - now) > SAME_SHARE * max(was, now):
            words.append(f"{name}: {show_bytes(now)} here, {show_bytes(was)} in the lock")
    for name, before, after in (
        ("cores", f"{locked.cores:g}", f"{here.cores:g}"),
        ("system", locked.system, here.system),
        ("architecture", locked.cpu.architecture, here.cpu.architecture),
        ("vector extensions", " ".join(locked.cpu.extensions), " ".join(here.cpu.extensions)),
        ("GPUs", _gpus(locked), _gpus(here)),
        ("container engine", engine_locked and engine_locked.name, engine_here and engine_here.name),
    ):
        if before != after:
            words.append(f"{name}: {after or 'none'} here, {before or 'none'} in the lock")
    return tuple(words)


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
        if probed is not None and (differs := host_differences(facts, probed())):
            notes = (
                "planned for the machine in mlpack.lock, not for this one (--reprobe takes this one):",
                *differs,
            )
    elif host is not None:
        facts = stable_facts(host)
    elif probed is not None:
        facts = stable_facts(probed())
    else:
        raise ValueError("without a lock and without a host there is nothing to plan for")
    chosen = {name: _model(lock, name, models[name], info, renew) for name, info in present.items()}
    return World(host=facts, models=chosen), notes


def _model(lock: Lock | None, name: str, wanted: Model, present: ModelInfo | None, renew: bool) -> ModelInfo:
    locked = _locked_model(lock, name, wanted)
    if present is None:
        if locked is None:
            raise ModelFileError(
                f"{wanted.path or wanted.hub} is not here, and mlpack.lock does not describe it",
                where=f"models.{name}",
                hint="put the model's files there, or render where they are and commit mlpack.lock",
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


def _gpus(host: HostFacts) -> str:
    return ", ".join(device.name for device in host.gpus.devices)
