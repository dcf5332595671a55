"""The tightest limits on the way from this process's cgroup to the root: pure parsing of what its files say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from mlpack.host import CgroupFacts, Unread
from mlpack.probe.cgroup_paths import Hierarchy, Version

UNLIMITED = 1 << 60
"""cgroup v1 writes "no limit" as the largest page count, about 2^63 bytes; no machine has 2^60."""

V1_FILES = {
    "memory": ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.stat"),
    "cpu": ("cpu.cfs_quota_us", "cpu.cfs_period_us"),
    "pids": ("pids.max",),
}
V2_FILES = {"memory": ("memory.max", "memory.swap.max"), "cpu": ("cpu.max",), "pids": ("pids.max",)}

Texts = Mapping[str, str]
"""Path of a file -> its text; files that do not exist (the root cgroup has no limits) are absent."""
File = Callable[[str], str | None]


def files_of(hierarchies: tuple[Hierarchy, ...]) -> tuple[str, ...]:
    """Every file that ``parse_cgroup`` may ask for."""
    return tuple(
        f"{level.folder}/{name}"
        for way in hierarchies
        for level in way.levels
        for name in (V2_FILES if way.v2 else V1_FILES)[way.controller]
    )


def parse_cgroup(
    version: Version, hierarchies: tuple[Hierarchy, ...], texts: Texts
) -> tuple[CgroupFacts, tuple[Unread, ...]]:
    """The limits in ``texts``; None is "no limit". A file of another form costs its own limit and is listed."""
    ways = {way.controller: way for way in hierarchies}
    reading = _Reading(texts)
    memory, memory_at = reading.tightest(ways.get("memory"), "memory_limit_bytes", _memory)
    swap, _ = reading.tightest(ways.get("memory"), "swap_limit_bytes", _swap)
    quota, quota_at = reading.tightest(ways.get("cpu"), "cpu_quota_cores", _quota)
    pids, _ = reading.tightest(ways.get("pids"), "pids_limit", _pids)
    memory, memory_at = _with_ancestors(ways.get("memory"), texts, memory, memory_at)
    for way in hierarchies:
        if way.hidden:
            reading.unread.append(Unread(name=f"cgroup.{way.controller}", reason=way.hidden))
    own = ways.get("memory") or ways.get("cpu")
    facts = CgroupFacts(
        version=version,
        path=own.levels[0].name if own and own.levels else None,
        memory_limit_bytes=None if memory is None else int(memory),
        memory_limit_at=memory_at,
        swap_limit_bytes=None if swap is None else int(swap),
        cpu_quota_cores=quota,
        cpu_quota_at=quota_at,
        pids_limit=None if pids is None else int(pids),
    )
    return facts, tuple(reading.unread)


class _Reading:
    """Asks for one limit at every level; collects what is not of its form."""

    def __init__(self, texts: Texts) -> None:
        self.texts = texts
        self.unread: list[Unread] = []

    def files_in(self, folder: str) -> File:
        """The text of a file in ``folder``, by its name."""
        return lambda name: self.texts.get(f"{folder}/{name}")

    def tightest(
        self, way: Hierarchy | None, fact: str, limit: Callable[[bool, File], float | None]
    ) -> tuple[float | None, str | None]:
        """The smallest limit on ``way`` and the cgroup that sets it: the nearest one where several are equal."""
        best: tuple[float | None, str | None] = (None, None)
        if way is None:
            return best
        for level in way.levels:
            try:
                value = limit(way.v2, self.files_in(level.folder))
            except ValueError as error:
                self.unread.append(Unread(name=f"cgroup.{fact}", reason=f"{level.folder}: {error}"))
                continue
            if value is not None and (best[0] is None or value < best[0]):
                best = (value, level.name)
        return best


def _memory(v2: bool, file: File) -> float | None:
    return _number("memory.max", file) if v2 else _number("memory.limit_in_bytes", file)


def _swap(v2: bool, file: File) -> float | None:
    """Bytes of swap beside the memory: v1 limits the sum of both (memsw)."""
    if v2:
        return _number("memory.swap.max", file)
    both = _number("memory.memsw.limit_in_bytes", file)
    memory = _number("memory.limit_in_bytes", file)
    return None if both is None or memory is None else max(0, both - memory)


def _quota(v2: bool, file: File) -> float | None:
    """Cores: microseconds per period of as many. ``max`` or -1 is no quota."""
    if not v2:
        quota, period = _number("cpu.cfs_quota_us", file), _number("cpu.cfs_period_us", file)
        return None if quota is None or not period else quota / period
    text = file("cpu.max")
    if text is None or text.split()[:1] == ["max"]:
        return None
    match = re.fullmatch(r"(\d{1,18}) (\d{1,18})", text.strip(), re.ASCII)
    if match is None or not int(match[1]) or not int(match[2]):
        raise ValueError(f"cpu.max is {text.strip()[:40]!r}, not `quota period`")
    return int(match[1]) / int(match[2])


def _pids(_v2: bool, file: File) -> float | None:
    return _number("pids.max", file)


def _number(name: str, file: File) -> int | None:
    """The number in ``name``; None for "no limit" in any spelling, and where the file is absent. Raises ValueError."""
    text = file(name)
    if text is None or text.strip() in ("max", "-1"):
        return None
    if re.fullmatch(r"\d{1,20}", text.strip(), re.ASCII) is None:
        raise ValueError(f"{name} is {text.strip()[:40]!r}, not a number")
    value = int(text)
    return None if value >= UNLIMITED else value


def _with_ancestors(
    way: Hierarchy | None, texts: Texts, limit: float | None, at: str | None
) -> tuple[float | None, str | None]:
    """v1 tells the tightest limit of *all* ancestors in memory.stat, also of those that a container's mount hides."""
    if way is None or way.v2 or not way.levels:
        return limit, at
    stat = texts.get(f"{way.levels[0].folder}/memory.stat", "")
    match = re.search(r"^hierarchical_memory_limit (\d{1,18})$", stat, re.ASCII | re.MULTILINE)
    above = int(match[1]) if match else UNLIMITED
    if above >= UNLIMITED or (limit is not None and above >= limit):
        return limit, at
    return above, f"above {way.levels[-1].name}"
