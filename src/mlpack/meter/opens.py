"""Notices when files are opened, whoever opens them and in whatever language: the kernel's inotify, by ctypes.

It tells when, not by whom: what else opens the same files meanwhile (an indexer, a backup) is seen as well.
"""

from __future__ import annotations

import ctypes
import os
import select
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_IN_OPEN = 0x20
_IN_CLOEXEC, _IN_NONBLOCK = 0o2000000, 0o4000
_EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of a name that follows; see inotify(7)


class Opens:
    """``with Opens(files, seen)``: calls ``seen(name)``, in a thread of its own, when a file of ``name`` is opened.

    ``fault`` says why it cannot, where it cannot; nothing is then seen.
    """

    def __init__(self, files: Mapping[str, Sequence[Path]], seen: Callable[[str], None]) -> None:
        self._files, self._seen = files, seen
        self._names: dict[int, str] = {}
        self._handle = -1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="opens", daemon=True)
        self.fault: str | None = None

    def __enter__(self) -> Opens:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            self._handle = libc.inotify_init1(_IN_CLOEXEC | _IN_NONBLOCK)
            if self._handle < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            for name, files in self._files.items():
                for file in files:
                    watch = libc.inotify_add_watch(self._handle, os.fsencode(file), _IN_OPEN)
                    if watch < 0:
                        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(file))
                    self._names[watch] = name
        except (OSError, AttributeError) as error:  # AttributeError: no inotify in this C library
            self.fault = f"openings of model files cannot be watched: {error}"
            self._close()
            return self
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._close()

    def _run(self) -> None:
        while not self._stop.is_set():
            if not select.select([self._handle], [], [], 0.05)[0]:
                continue
            with suppress(BlockingIOError):
                data = os.read(self._handle, 65536)
                for name in _names(data, self._names):
                    self._seen(name)

    def _close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _names(data: bytes, known: Mapping[int, str]) -> list[str]:
    """The names whose files the events in ``data`` are about, in their order; repetitions left out."""
    found: list[str] = []
    offset = 0
    while offset + _EVENT.size <= len(data):
        watch, mask, _, length = _EVENT.unpack_from(data, offset)
        offset += _EVENT.size + length
        name = known.get(watch)
        if name is not None and mask & _IN_OPEN and (not found or found[-1] != name):
            found.append(name)
    return found
