"""Watches the measured process between its stops and reads it exactly at each: what a stage held and how high it went.

Two independent peaks of anonymous memory, the higher counts: samples every few milliseconds, and the kernel's own
high-water mark of RSS (VmHWM, set back at each stop), which misses no process's spike however short. Of spikes of
several processes at the same moment the mark counts the highest one; their sum is left to the samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mlpack.measure.result import StageName, StageReading
from mlpack.meter.cgroup import CgroupDirs, read_counters
from mlpack.meter.sampler import Sampler
from mlpack.meter.smaps import Status, parse_status
from mlpack.meter.snapshot import ProcessReading, snapshot
from mlpack.meter.sources import Quick, kernel_bytes, process_source, tree
from mlpack.meter.totals import by_file, totals

EVERY_S = 0.005
TREE_EVERY = 40
"""Readings between two looks for new child processes (a walk through all of /proc)."""


class Watch:
    """Readings of process ``pid`` and its descendants. ``weights``: each model's files, to tell them from libraries."""

    def __init__(self, proc: Path, pid: int, weights: Mapping[str, Sequence[Path]], dirs: CgroupDirs | None) -> None:
        self._proc, self._pid, self._dirs = proc, pid, dirs
        self._weights = {name: frozenset(map(identity, files)) for name, files in weights.items()}
        self._pids: tuple[int, ...] = (pid,)
        self._count = 0
        self._other_rss = 0
        self._told_use = False
        self._source = process_source(proc, lambda: self._pids)
        self._sampler = Sampler(self._quick, every_s=EVERY_S)

    def __enter__(self) -> Watch:
        self._sampler.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._sampler.__exit__()

    @property
    def pids(self) -> tuple[int, ...]:
        """Its processes when last read."""
        return tuple(self._pids)

    def processes(self) -> list[ProcessReading]:
        """Every process of the tree, now."""
        self._pids = tree(self._proc, self._pid)
        return snapshot(self._proc, self._pids)

    def stop(self, name: StageName, seconds: float, *, fresh: bool = True) -> StageReading:
        """The reading at the end of stage ``name``, while the process holds still; peaks start anew. ``fresh``: so does
        what counts as referenced."""
        lap = self._sampler.lap()
        processes = self.processes()
        sums = totals(processes)
        peak_rss = max((p.peak_rss_bytes for p in processes), default=0)
        spike = max((self._spike(process) for process in processes), default=0)
        peak = max(lap.anonymous_bytes, sums.anonymous_bytes + spike)
        self._other_rss = 0
        weights = {model: mapped_of(processes, files) for model, files in self._weights.items()}
        in_use = self._of_libraries_in_use(processes) if self._told_use else None
        for process in processes:
            self._clear(process.pid, "5")  # not permitted: the mark stays, and later peaks are not understated
        if fresh:
            cleared = [self._clear(process.pid, "1") for process in processes]  # every one, whatever the first says
            self._told_use = all(cleared)
        return StageReading(
            name=name,
            seconds=seconds,
            pss_bytes=sums.pss_bytes,
            uss_bytes=sums.uss_bytes,
            rss_bytes=sum(p.rss_bytes for p in processes),
            anonymous_bytes=sums.anonymous_bytes,
            anonymous_peak_bytes=peak,
            mapped_bytes=sums.mapped_bytes,
            mapped_weights_bytes=sum(weights.values()),
            mapped_by_model=weights if len(weights) > 1 else {},
            libraries_in_use_bytes=in_use,
            shm_bytes=self._shm(sums.shm_bytes),
            kernel_bytes=self._kernel(),
            rss_peak_bytes=peak_rss,
            threads=sum(p.threads for p in processes),
        )

    def _of_libraries_in_use(self, processes: Sequence[ProcessReading]) -> int:
        """Referenced since the marks were last taken off; of processes begun since then, from their start. Errs high:
        a page that anybody read meanwhile (who copied the interpreter's file) has the mark too."""
        weights = [mapped_of(processes, files, referenced=True) for files in self._weights.values()]
        return sum(by_file(processes, shm=False, referenced=True).values()) - sum(weights)

    def _clear(self, pid: int, what: str) -> bool:
        """Write ``what`` to the process's clear_refs; False where that is not permitted, or it has just ended."""
        try:
            (self._proc / str(pid) / "clear_refs").write_text(what)
        except (FileNotFoundError, ProcessLookupError):
            return not (self._proc / str(pid) / "smaps").exists()
        except OSError:
            return False
        return True

    def _kernel(self) -> int:
        """Of its own control group where there is one, else what /proc tells of the tree."""
        if self._dirs is not None:
            counted = read_counters(self._dirs).kernel_bytes
            if counted is not None:
                return counted
        statuses = (_status(self._proc, pid) for pid in self._pids)
        return sum(kernel_bytes(status) for status in statuses if status)

    def _shm(self, mapped_bytes: int) -> int:
        """What is mapped, or of its own control group all that was written to a tmpfs: open files are charged too."""
        return mapped_bytes if self._dirs is None else max(mapped_bytes, read_counters(self._dirs).shm_bytes)

    @property
    def highest_bytes(self) -> int:
        """The highest anonymous memory that was sampled, of all stages."""
        return self._sampler.peaks.anonymous_bytes

    def rough_bytes(self) -> int | None:
        """Anonymous memory of the processes known so far, fast, from any thread; pages that forks share count twice."""
        found = [status for pid in self._pids if (status := _status(self._proc, pid)) is not None]
        return sum(status.anonymous_bytes for status in found) if found else None

    def anonymous_bytes(self) -> int:
        """Anonymous memory of the tree at this moment, exactly; the process should hold still."""
        return totals(self.processes()).anonymous_bytes

    def _spike(self, process: ProcessReading) -> int:
        """How far ``process`` was once above what it holds now: its high-water mark, less files and shared memory."""
        now = process.rss_bytes - process.anonymous_bytes
        # Of the first process the most that these were is known; the rest of the mark was anonymous.
        other = max(now, self._other_rss) if process.pid == self._pid else now
        return max(0, process.peak_rss_bytes - other - process.anonymous_bytes)

    def _quick(self) -> Quick | None:
        self._count += 1
        if self._count % TREE_EVERY == 0:
            self._pids = tree(self._proc, self._pid) or self._pids
        status = _status(self._proc, self._pid)
        if status is not None:
            self._other_rss = max(self._other_rss, status.file_bytes + status.shm_bytes)
        return self._source()


def mapped_of(
    processes: Sequence[ProcessReading], files: frozenset[tuple[int, str]], *, referenced: bool = False
) -> int:
    """Mapped bytes of one model's ``files``. By inode and name: a container sees them at other paths."""
    kept = [p._replace(files=tuple(f for f in p.files if (f.inode, Path(f.path).name) in files)) for p in processes]
    return sum(by_file(kept, shm=False, referenced=referenced).values())


def identity(path: Path) -> tuple[int, str]:
    """Inode and name; the device is left out, as overlays and btrfs tell smaps another one than stat."""
    whole = path.resolve()
    return whole.stat().st_ino, whole.name


def _status(proc: Path, pid: int) -> Status | None:
    try:
        return parse_status((proc / str(pid) / "status").read_text(errors="replace"))
    except OSError:
        return None
