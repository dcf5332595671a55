"""Which facts a lock keeps, and how one machine differs from another in what matters to a plan. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from mlpack.host import EngineFacts, GpuSetFacts, HostFacts
from mlpack.units import show_bytes

SAME_MEMORY = 0.01
"""MemTotal moves by some MiB with the kernel and the firmware: RAM counts as changed beyond this share."""

_IDS = re.compile(r"(?:(?<=pod)|(?<![a-z0-9]))[0-9a-f]{8}[0-9a-f_-]*|\d+")
"""Ids in a cgroup's name: a container's, a pod's, a session's, a user's."""


def stable(facts: HostFacts) -> HostFacts:
    """``facts`` without what changes by the minute or names a person's folder: the same machine, the same bytes.

    The disk goes (a plan does not depend on it), and so do free memory, processes on a card, reasons of what was not
    read, and the ids in cgroup names.
    """
    cgroup = facts.cgroup
    return facts.model_copy(
        update={
            "memory": facts.memory.model_copy(update={"available_bytes": None, "swap_free_bytes": None}),
            "cgroup": cgroup.model_copy(
                update={
                    "path": None,
                    "memory_limit_at": _without_ids(cgroup.memory_limit_at),
                    "cpu_quota_at": _without_ids(cgroup.cpu_quota_at),
                }
            ),
            "disk": None,
            "gpus": facts.gpus.model_copy(
                update={
                    "devices": tuple(
                        gpu.model_copy(
                            update={
                                "memory_free_bytes": None,
                                "processes": None,
                                "mps_clients": None,
                                "instances": tuple(
                                    one.model_copy(update={"memory_free_bytes": None}) for one in gpu.instances
                                ),
                            }
                        )
                        for gpu in facts.gpus.devices
                    )
                }
            ),
            "unread": (),
        }
    )


def differences(was: HostFacts, now: HostFacts) -> tuple[str, ...]:
    """In words, what changed from ``was`` to ``now`` that a plan depends on; empty when a plan for one fits the other.

    Either may be ``stable``: only facts that a lock keeps are compared.
    """
    return tuple(_differences(was, now))


def _differences(was: HostFacts, now: HostFacts) -> Iterator[str]:
    if was.system != now.system:
        yield _changed("system", was.system, now.system)
    if was.cpu.architecture != now.cpu.architecture:
        yield _changed("architecture", was.cpu.architecture, now.cpu.architecture)
    if was.cores != now.cores:
        yield _changed("usable cores", f"{was.cores:g}", f"{now.cores:g}")
    if was.cpu.physical_cores != now.cpu.physical_cores:
        yield _changed("physical cores", was.cpu.physical_cores, now.cpu.physical_cores)
    lost = sorted(set(was.cpu.extensions) - set(now.cpu.extensions))
    gained = sorted(set(now.cpu.extensions) - set(was.cpu.extensions))
    if lost:
        yield f"vector extensions lost: {' '.join(lost)}"
    if gained:
        yield f"vector extensions gained: {' '.join(gained)}"
    if not _alike(was.memory.total_bytes, now.memory.total_bytes):
        yield _changed("RAM", show_bytes(was.memory.total_bytes), show_bytes(now.memory.total_bytes))
    if not _alike(was.memory.swap_total_bytes, now.memory.swap_total_bytes):
        yield _changed("swap", show_bytes(was.memory.swap_total_bytes), show_bytes(now.memory.swap_total_bytes))
    before, after = was.memory.read_ahead_bytes, now.memory.read_ahead_bytes
    if before is not None and after is not None and before != after:  # older locks do not have it
        yield _changed("the disk's read-ahead", show_bytes(before), show_bytes(after))
    yield from _limits(was, now)
    yield from _gpus(was.gpus, now.gpus)
    yield from _engines(was.engine, now.engine)


def _limits(was: HostFacts, now: HostFacts) -> Iterator[str]:
    before, after = was.cgroup, now.cgroup
    if before.memory_limit_bytes != after.memory_limit_bytes:
        yield _changed("memory limit", _bytes(before.memory_limit_bytes), _bytes(after.memory_limit_bytes))
    if before.swap_limit_bytes != after.swap_limit_bytes:
        yield _changed("swap limit", _bytes(before.swap_limit_bytes), _bytes(after.swap_limit_bytes))
    if before.pids_limit != after.pids_limit:
        yield _changed("process limit", before.pids_limit, after.pids_limit)


def _gpus(was: GpuSetFacts, now: GpuSetFacts) -> Iterator[str]:
    """Cards as a set: their order and which of two equal cards it is do not matter."""
    before, after = _cards(was), _cards(now)
    if before != after:
        yield _changed("accelerators", _count(before), _count(after))
    if was.cuda != now.cuda and before and after:
        yield _changed("highest CUDA version of the driver", was.cuda, now.cuda)


def _engines(was: EngineFacts | None, now: EngineFacts | None) -> Iterator[str]:
    if was is None or now is None:
        if was is not now:
            yield _changed("container engine", was and f"{was.name} {was.version}", now and f"{now.name} {now.version}")
        return
    if was.version.split(".")[0] != now.version.split(".")[0]:
        yield _changed("container engine's version", was.version, now.version)
    if was.cgroup_version != now.cgroup_version:
        yield _changed("container engine's cgroup version", was.cgroup_version, now.cgroup_version)
    if was.cores != now.cores:
        yield _changed("container engine's cores", was.cores, now.cores)
    if not _alike(was.memory_bytes, now.memory_bytes):
        yield _changed("container engine's memory", show_bytes(was.memory_bytes), show_bytes(now.memory_bytes))
    if was.architecture != now.architecture:
        yield _changed("container engine's architecture", was.architecture, now.architecture)
    if (was.gpu_runtime, was.cdi_devices) != (now.gpu_runtime, now.cdi_devices):
        yield _changed("how containers get GPUs", _gpu_ways(was), _gpu_ways(now))


def _changed(what: str, was: object, now: object) -> str:
    return f"{what}: {'none' if was is None else was}, now {'none' if now is None else now}"


def _alike(one: int, other: int) -> bool:
    return abs(one - other) <= SAME_MEMORY * max(one, other)


def _bytes(count: int | None) -> str | None:
    return None if count is None else show_bytes(count)


def _cards(gpus: GpuSetFacts) -> Counter[str]:
    """How many of each kind: name, memory (to a GiB, as drivers reserve differently) and whether it is split."""
    return Counter(
        gpu.name
        + (f" {round(gpu.memory_total_bytes / 1024**3)} GiB" if gpu.memory_total_bytes else "")
        + (f" (MIG: {', '.join(sorted(one.name for one in gpu.instances)) or 'no instance'})" if gpu.mig else "")
        for gpu in gpus.devices
    )


def _count(cards: Counter[str]) -> str | None:
    return ", ".join(f"{number} x {name}" for name, number in sorted(cards.items())) or None


def _gpu_ways(engine: EngineFacts) -> str | None:
    return ", ".join((["nvidia runtime"] if engine.gpu_runtime else []) + list(engine.cdi_devices)) or None


def _without_ids(name: str | None) -> str | None:
    return None if name is None else _IDS.sub("*", name)
