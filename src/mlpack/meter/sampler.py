"""Watches a service's memory from threads of its own: peaks at a fine beat, a thinned timeline for the report.

Anonymous, kernel and shared memory are cheap to read and looked at every 10 ms, so that a spike of 50 ms is seen
several times; mapped bytes cost a walk of every page table and follow at a slower beat.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TypeVar

from mlpack.meter.sources import MappedSource, Quick, QuickSource
from mlpack.report import MemorySample

T = TypeVar("T")
EVERY_S = 0.01
MAPPED_EVERY_S = 0.3
KEEP_S = 0.1
"""The timeline holds one sample, the highest, for each such span."""


@dataclass(frozen=True)
class Peaks:
    """The highest value of each kind (at moments of their own) and of their sum at one moment. Bytes.

    ``longest_gap_s``: the longest time that nothing was read; shorter spikes may be missing from these numbers.
    """

    anonymous_bytes: int = 0
    mapped_bytes: int = 0
    kernel_bytes: int = 0
    shm_bytes: int = 0
    need_bytes: int = 0
    readings: int = 0
    longest_gap_s: float = 0.0

    def joined(self, other: Peaks) -> Peaks:
        """The peaks of both spans together."""
        both = {field.name: max(getattr(self, field.name), getattr(other, field.name)) for field in fields(self)}
        return Peaks(**{**both, "readings": self.readings + other.readings})


class Sampler:
    """``with Sampler(...) as sampler:`` reads until the block ends; ``lap`` tells and restarts the peaks."""

    def __init__(
        self,
        quick: QuickSource,
        mapped: MappedSource | None = None,
        *,
        every_s: float = EVERY_S,
        mapped_every_s: float = MAPPED_EVERY_S,
        keep_s: float = KEEP_S,
    ) -> None:
        self._quick, self._mapped = quick, mapped
        self._every_s, self._mapped_every_s, self._keep_s = every_s, mapped_every_s, keep_s
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run_quick, name="sampler", daemon=True)]
        if mapped is not None:
            self._threads.append(threading.Thread(target=self._run_mapped, name="mapped sampler", daemon=True))
        self._peaks = self._all = Peaks()
        self._last_mapped = 0
        self._samples: list[MemorySample] = []
        self._started_s = self._last_s = 0.0
        self.fault: str | None = None
        """The first thing that went wrong while reading: the peaks may then be too low."""

    def __enter__(self) -> Sampler:
        self._started_s = self._last_s = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def lap(self) -> Peaks:
        """The peaks since the last lap, a reading of this moment included."""
        self._read_quick()
        with self._lock:
            peaks, self._peaks = self._peaks, Peaks()
            return peaks

    @property
    def peaks(self) -> Peaks:
        """The peaks of the whole time."""
        with self._lock:
            return self._all

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start: the clock of ``samples``."""
        return time.monotonic() - self._started_s

    @property
    def samples(self) -> tuple[MemorySample, ...]:
        """The timeline so far: of each span the sample with the highest need, seconds since the start."""
        with self._lock:
            return tuple(self._samples)

    def _run_quick(self) -> None:
        due_s = time.monotonic()
        while not self._stop.is_set():
            self._read_quick()
            due_s = max(due_s + self._every_s, time.monotonic())
            self._stop.wait(due_s - time.monotonic())

    def _run_mapped(self) -> None:
        assert self._mapped is not None
        while not self._stop.is_set():
            began_s = time.monotonic()
            mapped = self._tried(self._mapped)
            if mapped is not None:
                with self._lock:
                    self._last_mapped = mapped
            # Never more than a quarter of the time: on a large service one walk takes longer than the beat.
            self._stop.wait(max(self._mapped_every_s, 3 * (time.monotonic() - began_s)))

    def _read_quick(self) -> None:
        reading = self._tried(self._quick)
        now_s = time.monotonic()
        if reading is None:
            return
        with self._lock:
            gap_s, self._last_s = now_s - self._last_s, now_s
            self._add(reading, now_s - self._started_s, gap_s)

    def _tried(self, read: Callable[[], T | None]) -> T | None:
        """One reading; a thread that dies of an odd line in /proc would freeze the peaks without a word."""
        try:
            return read()
        except Exception as error:
            self.fault = self.fault or f"{type(error).__name__}: {error}"
            return None

    def _add(self, reading: Quick, at_s: float, gap_s: float) -> None:
        sample = MemorySample(
            at_s=round(at_s, 3),
            anonymous_bytes=reading.anonymous_bytes,
            mapped_bytes=self._last_mapped,
            kernel_bytes=reading.kernel_bytes,
            shm_bytes=reading.shm_bytes,
        )
        now = Peaks(*reading[:1], self._last_mapped, *reading[1:], sample.need_bytes, 1, gap_s)
        self._peaks, self._all = self._peaks.joined(now), self._all.joined(now)
        span = int(at_s / self._keep_s)
        if self._samples and int(self._samples[-1].at_s / self._keep_s) == span:
            if sample.need_bytes > self._samples[-1].need_bytes:
                self._samples[-1] = sample
        else:
            self._samples.append(sample)
