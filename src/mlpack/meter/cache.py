"""Evicts files from the page cache and says what stayed: a run that counts begins with cold files, or says it did not.

Clean pages can be dropped by anyone who may read the file; pages that another process maps stay.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mlpack.units import show_bytes

_CHUNK_BYTES = 2**30
"""Files are looked at piece by piece, so that a terabyte costs no more address space or result than a gibibyte."""
_STAYED_SHARE = 0.01
"""Below this share of the bytes the files count as evicted: a page or two may be touched at any moment."""


@dataclass(frozen=True)
class Eviction:
    """What became of an eviction. ``resident_bytes``: still cached afterwards. ``failed``: files not readable."""

    total_bytes: int
    resident_bytes: int
    stayed: tuple[Path, ...] = ()
    failed: tuple[Path, ...] = ()

    @property
    def cold(self) -> bool:
        """Nearly nothing stayed, and every file could be looked at."""
        return not self.failed and self.resident_bytes <= _STAYED_SHARE * self.total_bytes

    def because(self) -> str:
        """Why it is not cold, for a report; empty when it is."""
        if self.cold:
            return ""
        if self.failed:
            return f"{len(self.failed)} files could not be opened or dropped, the first is {self.failed[0]}"
        first = max(self.stayed, key=resident_bytes, default=None)
        return (
            f"{show_bytes(self.resident_bytes)} of {show_bytes(self.total_bytes)} stayed in the page cache, most of it "
            f"{first}: another process maps it, or it lies in memory (tmpfs)"
        )


def evict(files: Iterable[Path]) -> Eviction:
    """Drop ``files`` from the page cache (dirty pages are written first) and look what stayed. Changes no file."""
    total = resident = 0
    stayed, failed = [], []
    seen: set[tuple[int, int]] = set()
    for file in dict.fromkeys(files):  # as they are named: /proc/PID/root is no link that could be resolved
        try:
            about = file.stat()
            if (about.st_dev, about.st_ino) in seen:
                continue
            seen.add((about.st_dev, about.st_ino))
            total += about.st_size
            _drop(file)
            left = resident_bytes(file)
        except (OSError, AttributeError):  # AttributeError: this system has no posix_fadvise (macOS, Windows)
            failed.append(file)
            continue
        resident += left
        if left:
            stayed.append(file)
    return Eviction(total, resident, tuple(stayed), tuple(failed))


def resident_bytes(file: Path) -> int:
    """Bytes of ``file`` in the page cache, whole pages. Raises OSError.

    ``mincore`` tells only the owner of a file, or someone who may write to it; for others all pages look resident
    (Linux 5.2), which errs on the side of "not evicted".
    """
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    size, pages = file.stat().st_size, 0
    with file.open("rb") as stream:
        for offset in range(0, size, _CHUNK_BYTES):
            length = min(_CHUNK_BYTES, size - offset)
            # A private writable map is never written to; ctypes needs it only to learn its address.
            with mmap.mmap(stream.fileno(), length, mmap.MAP_PRIVATE, offset=offset) as view:
                pages += _mincore(view, length, page_bytes)
    return pages * page_bytes


def code_files(folders: Iterable[Path]) -> tuple[Path, ...]:
    """Shared libraries below ``folders`` (of installed packages), sorted: what a process maps besides weights."""
    found = {file for folder in folders for file in folder.rglob("*.so*") if file.is_file()}
    return tuple(sorted(found))


def _drop(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fdatasync(handle)  # dirty pages cannot be dropped
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


def _mincore(view: mmap.mmap, length: int, page_bytes: int) -> int:
    address = ctypes.c_char.from_buffer(view)
    libc = ctypes.CDLL(None, use_errno=True)
    states = (ctypes.c_ubyte * -(-length // page_bytes))()
    try:
        if libc.mincore(ctypes.c_void_p(ctypes.addressof(address)), ctypes.c_size_t(length), states) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        del address  # the map can be closed only when nothing points into it
    return sum(state & 1 for state in states)
