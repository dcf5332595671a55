"""Parses /proc/PID/smaps, smaps_rollup and status: which memory of a process is anonymous, of files, shared.

Standard library only, and nothing newer than Python 3.8 outside annotations: it also runs inside containers
(see ``meter.bundle``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

KIB = 1024
_HEADER = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+) (\d+) *(.*)")
_SHARED_MEMORY = ("/memfd:", "/dev/shm/", "/dev/zero", "/SYSV", "[anon_shmem:", "/drm mm object")
"""Kernel-made tmpfs files have a path but no mount: memfd, POSIX and System V segments, shared anonymous maps."""


class Vma(NamedTuple):
    """One mapping as smaps tells it. Bytes; ``offset`` is into the file."""

    start: int
    end: int
    offset: int
    device: str
    """major:minor in hexadecimal, as the kernel writes it."""
    inode: int
    path: str
    rss_bytes: int
    pss_bytes: int
    anonymous_bytes: int
    """Resident pages that no file holds: heap, stacks, and pages of a private file mapping that were written to."""
    hugetlb_bytes: int
    """Reserved huge pages; in no RSS and charged to no memory limit by default."""
    referenced_bytes: int = 0
    """Touched since the process started, or since 1 was written to its clear_refs."""


class FileRange(NamedTuple):
    """A resident part of a mapped file. ``shm``: the "file" is memory (tmpfs, memfd), charged to the limit."""

    device: str
    inode: int
    path: str
    offset: int
    length: int
    rss_bytes: int
    shm: bool
    referenced_bytes: int = 0
    """Of ``rss_bytes``, at most what was touched since 1 was written to clear_refs."""


class Rollup(NamedTuple):
    """The sums of smaps_rollup in bytes. The ``pss_`` parts are None before Linux 5.4."""

    rss_bytes: int
    pss_bytes: int
    uss_bytes: int
    anonymous_bytes: int
    pss_anonymous_bytes: int | None
    swap_bytes: int


class Status(NamedTuple):
    """The cheap numbers of /proc/PID/status; no page table is walked for them."""

    name: str
    ppid: int
    threads: int
    anonymous_bytes: int
    file_bytes: int
    shm_bytes: int
    peak_rss_bytes: int
    page_table_bytes: int


def parse_smaps(text: str) -> list[Vma]:
    """Every mapping of ``text``. A text cut off in the middle (the process ended) gives what is whole of it."""
    found: list[Vma] = []
    head: re.Match[str] | None = None
    sizes: dict[str, int] = {}
    for line in text.splitlines():
        if "A" <= line[:1] <= "Z":  # a field; headers begin with a lower-case hexadecimal digit
            name, _, rest = line.partition(":")
            if name in _FIELDS:
                sizes[name] = int(rest.split()[0]) * KIB
            continue
        if head is not None:
            found.append(_vma(head, sizes))
        head, sizes = _HEADER.match(line), {}
    if head is not None and "Anonymous" in sizes:
        found.append(_vma(head, sizes))
    return found


_FIELDS = frozenset(("Rss", "Pss", "Anonymous", "Referenced", "Private_Hugetlb", "Shared_Hugetlb"))


def _vma(head: re.Match[str], sizes: dict[str, int]) -> Vma:
    start, end, _, offset, device, inode, path = head.groups()
    return Vma(
        int(start, 16),
        int(end, 16),
        int(offset, 16),
        device,
        int(inode),
        path,
        sizes.get("Rss", 0),
        sizes.get("Pss", 0),
        sizes.get("Anonymous", 0),
        sizes.get("Private_Hugetlb", 0) + sizes.get("Shared_Hugetlb", 0),
        sizes.get("Referenced", 0),
    )


def file_ranges(vmas: Iterable[Vma], tmpfs: frozenset[str] = frozenset()) -> list[FileRange]:
    """The file pages of ``vmas``: resident minus anonymous, where there are any.

    Pages of [heap], [stack] and unnamed maps belong to no file (inode 0), and neither do [vdso] and [vvar], which the
    kernel shares with everyone. ``tmpfs``: devices whose files are memory, see ``tmpfs_devices``.
    """
    ranges = []
    for vma in vmas:
        size = vma.rss_bytes - vma.anonymous_bytes
        if vma.inode and size > 0 and not vma.path.startswith("anon_inode:"):
            shm = vma.path.startswith(_SHARED_MEMORY) or vma.device in tmpfs
            # Of a private map that was written to, the anonymous pages may be among the referenced: never too low.
            used = min(size, vma.referenced_bytes)
            ranges.append(FileRange(vma.device, vma.inode, vma.path, vma.offset, vma.end - vma.start, size, shm, used))
    return ranges


def tmpfs_devices(mountinfo: str) -> frozenset[str]:
    """Devices of /proc/PID/mountinfo whose files live in memory, spelt as smaps spells them (hexadecimal)."""
    found = set()
    for line in mountinfo.splitlines():
        mount, _, kind = line.partition(" - ")
        if kind.split(" ")[0] in ("tmpfs", "devtmpfs", "ramfs"):
            major, _, minor = mount.split(" ")[2].partition(":")
            found.add(f"{int(major):02x}:{int(minor):02x}")
    return frozenset(found)


def parse_rollup(text: str) -> Rollup:
    """smaps_rollup's sums. Raises KeyError where the text is cut off."""
    size = _fields(text)
    private = size["Private_Clean"] + size["Private_Dirty"]
    return Rollup(
        size["Rss"], size["Pss"], private, size["Anonymous"], size.get("Pss_Anon"), size.get("Swap", 0)
    )  # fmt: skip


def parse_status(text: str) -> Status:
    """The numbers of /proc/PID/status; a process without memory (zombie, kernel thread) has zeros."""
    size = _fields(text)
    words = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    return Status(
        words.get("Name", ""),
        int(words.get("PPid", "0")),
        int(words.get("Threads", "0")),
        size.get("RssAnon", 0),
        size.get("RssFile", 0),
        size.get("RssShmem", 0),
        size.get("VmHWM", 0),
        size.get("VmPTE", 0),
    )


def _fields(text: str) -> dict[str, int]:
    """Every ``Name: N kB`` line in bytes."""
    pairs: list[tuple[str, str]] = re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)
    return {name: int(number) * KIB for name, number in pairs}
