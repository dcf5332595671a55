"""Adds the memory of several processes up as their container is charged for it: shared pages once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mlpack.meter.smaps import FileRange
from mlpack.meter.snapshot import ProcessReading


@dataclass(frozen=True)
class Totals:
    """The memory of a set of processes in bytes; ``by_path`` is the file-mapped part of ``mapped_bytes``, by path."""

    anonymous_bytes: int
    mapped_bytes: int
    shm_bytes: int
    pss_bytes: int
    uss_bytes: int
    by_path: dict[str, int]


def totals(processes: Sequence[ProcessReading]) -> Totals:
    """The sum over ``processes``, which should be all that share pages with one another (a service's whole tree).

    Anonymous pages shared after a fork are split by their proportional size, so that the sum counts each once; before
    Linux 5.4 there is no such number, and forked processes are counted in full.
    """
    mapped = by_file(processes, shm=False)
    return Totals(
        anonymous_bytes=anonymous_bytes(processes),
        mapped_bytes=sum(mapped.values()),
        shm_bytes=sum(by_file(processes, shm=True).values()),
        pss_bytes=sum(p.pss_bytes for p in processes),
        uss_bytes=sum(p.uss_bytes for p in processes),
        by_path=mapped,
    )


def anonymous_bytes(processes: Sequence[ProcessReading]) -> int:
    """Anonymous memory of the set; of one process alone simply its own."""
    if len(processes) == 1:
        return processes[0].anonymous_bytes
    shares = [p.pss_anonymous_bytes if p.pss_anonymous_bytes is not None else p.anonymous_bytes for p in processes]
    return sum(shares)


def by_file(processes: Sequence[ProcessReading], *, shm: bool, referenced: bool = False) -> dict[str, int]:
    """Resident bytes of each mapped file (of memory files when ``shm``), each page once; path -> bytes.

    ``referenced``: only those touched since 1 was written to clear_refs.

    smaps tells how many pages of a mapping are resident, not which. Where mappings overlap, the union is therefore
    taken to be the process with the most: exact when the processes run the same code (workers do) or the whole range
    is resident (weights are), and never more than the range itself.
    """
    files: dict[tuple[str, int], list[tuple[int, FileRange]]] = defaultdict(list)
    for index, process in enumerate(processes):
        for part in process.files:
            if part.shm == shm:
                counted = part._replace(rss_bytes=part.referenced_bytes) if referenced else part
                files[part.device, part.inode].append((index, counted))
    sizes: dict[str, int] = defaultdict(int)
    for parts in files.values():
        sizes[parts[0][1].path] += sum(_resident(group) for group in _overlapping(parts))
    return dict(sizes)


def _overlapping(parts: Iterable[tuple[int, FileRange]]) -> Iterable[list[tuple[int, FileRange]]]:
    """``parts`` of one file in groups that touch no common page with another group."""
    group: list[tuple[int, FileRange]] = []
    end = -1
    for item in sorted(parts, key=lambda item: item[1].offset):
        if group and item[1].offset >= end:
            yield group
            group = []
        group.append(item)
        end = max(end, item[1].offset + item[1].length)
    if group:
        yield group


def _resident(group: list[tuple[int, FileRange]]) -> int:
    """Bytes of one group: the most that any process holds; the same range mapped twice in a process counts once."""
    start = min(part.offset for _, part in group)
    length = max(part.offset + part.length for _, part in group) - start
    held: dict[int, dict[tuple[int, int], int]] = defaultdict(dict)
    for index, part in group:
        key = part.offset, part.length
        held[index][key] = max(held[index].get(key, 0), part.rss_bytes)
    return min(length, max(sum(ranges.values()) for ranges in held.values()))
