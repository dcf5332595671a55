"""RAM and swap from /proc/meminfo: pure parsing."""

from __future__ import annotations

import re

from mlpack.errors import MlpackError
from mlpack.host import MemoryFacts, Unread
from mlpack.units import KIB

_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_LINE = re.compile(r"^(\w+):\s+(\d{1,15}) kB$", re.ASCII | re.MULTILINE)


def parse_meminfo(
    text: str | None, shm_bytes: int | None, read_ahead: str | None = None
) -> tuple[MemoryFacts, tuple[Unread, ...]]:
    """Facts in ``text`` of /proc/meminfo (its kB are KiB: proc(5)), with the size of /dev/shm beside them;
    ``read_ahead``: a disk's read_ahead_kb.

    Raises MlpackError without MemTotal: nothing can be planned then.
    """
    values = {name: int(number) * 1024 for name, number in _LINE.findall(text or "")}
    if "MemTotal" not in values:
        raise MlpackError(
            "the size of this machine's memory cannot be read: no MemTotal in /proc/meminfo",
            hint="mount /proc, or plan for a recorded machine with --host FILE",
        )
    unread = []
    if "MemAvailable" not in values:  # kernels before 3.14
        unread.append(Unread(name="memory.available_bytes", reason="no MemAvailable in /proc/meminfo"))
    if "SwapTotal" not in values:
        unread.append(Unread(name="memory.swap_total_bytes", reason="no SwapTotal in /proc/meminfo; taken as none"))
    facts = MemoryFacts(
        total_bytes=values["MemTotal"],
        available_bytes=values.get("MemAvailable"),
        swap_total_bytes=values.get("SwapTotal", 0),
        swap_free_bytes=values.get("SwapFree"),
        shm_bytes=shm_bytes,
        read_ahead_bytes=int(ahead) * KIB if _NUMBER.fullmatch(ahead := (read_ahead or "").strip()) else None,
    )
    return facts, tuple(unread)
