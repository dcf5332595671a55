"""Real processes with memory made to a plan are read to within half a MiB, from here and as a container is read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlpack.meter import snapshot
from mlpack.meter.bundle import snapshot_program
from mlpack.meter.cgroup import CgroupDirs, pids_of, read_counters
from mlpack.meter.cgroup_own import own_cgroup
from mlpack.meter.sources import cgroup_source, mapped_source, process_source, tree
from mlpack.meter.totals import totals
from mlpack.units import KIB, MIB

PROC = Path("/proc")
CLOSE = 512 * KIB
READY = "\nprint('ready', flush=True)\ninput()\n"

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs Linux's /proc/PID/smaps")


@contextmanager
def running(program: str, *argv: str, env: dict[str, str] | None = None) -> Iterator[int]:
    """A Python that has run ``program`` and stands still; its pid."""
    command = [sys.executable, "-I", "-c", program + READY, *argv]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True, env=env
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            yield child.pid
        finally:
            os.killpg(child.pid, signal.SIGKILL)


def read(pid: int) -> list[snapshot.ProcessReading]:
    return snapshot.snapshot(PROC, tree(PROC, pid))


def test_a_known_heap_and_a_known_file(tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(os.urandom(24 * MIB))
    bare = "import mmap, sys"
    with running(bare) as pid:
        before = totals(read(pid))
    held = "a = bytearray(40 << 20); f = open(sys.argv[1], 'rb'); m = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)"
    with running(f"{bare}\n{held}\nsum(m[i] for i in range(0, len(m), 4096))", str(file)) as pid:
        after = totals(read(pid))
    assert abs(after.anonymous_bytes - before.anonymous_bytes - 40 * MIB) < CLOSE
    assert after.by_path[str(file)] == 24 * MIB
    assert abs(after.mapped_bytes - before.mapped_bytes - 24 * MIB) < CLOSE


def test_forked_processes_share_what_they_do_not_write() -> None:
    program = """
import os, signal
a = bytearray(60 << 20)
for _ in range(2):
    if os.fork() == 0:
        for i in range(0, 10 << 20, 4096): a[i] = 1
        os.write(1, b"x")
        signal.pause()
"""
    command = [sys.executable, "-I", "-c", program + READY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as child:
        try:
            assert child.stdout is not None
            said = b""
            while said.count(b"x") < 2 or b"ready" not in said:
                said += os.read(child.stdout.fileno(), 100)
            processes = read(child.pid)
            source = process_source(PROC, lambda: tree(PROC, child.pid))()
        finally:
            os.killpg(child.pid, signal.SIGKILL)
    master = next(p for p in processes if p.pid == child.pid)
    one_more = (totals(processes).anonymous_bytes - master.anonymous_bytes) / 2
    assert len(processes) == 3
    assert 10 * MIB <= one_more < 13 * MIB  # 10 written, and what Python itself touches after a fork
    assert all(p.anonymous_bytes > 60 * MIB for p in processes)
    assert source is not None
    assert abs(source.anonymous_bytes - totals(processes).anonymous_bytes) < CLOSE


def test_memfd_is_shared_memory_not_a_file() -> None:
    program = """
import os, mmap
f = os.memfd_create("x")
os.ftruncate(f, 16 << 20)
m = mmap.mmap(f, 16 << 20)
m[:] = bytes(16 << 20)
"""
    with running(program) as pid:
        sums = totals(read(pid))
    assert sums.shm_bytes == 16 * MIB
    assert not [path for path in sums.by_path if "memfd" in path]


def test_only_the_variables_asked_for_are_told() -> None:
    with running("pass", env={"OMP_NUM_THREADS": "2", "TOKEN": "hush"}) as pid:
        reading = snapshot.read_process(PROC, pid, ["OMP_NUM_THREADS", "ABSENT"])
    assert reading is not None
    assert reading.environ == {"OMP_NUM_THREADS": "2"}


def test_the_program_for_containers_says_the_same_as_a_look_from_here() -> None:
    with running("a = bytearray(30 << 20)") as pid:
        argv = [sys.executable, "-I", "-c", snapshot_program(), "PATH"]
        said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        here = snapshot.read_process(PROC, pid)
    there = {reading.pid: reading for reading in snapshot.from_json(said)}
    assert here is not None
    # How library pages are shared out (PSS, USS) depends on who else runs at the moment.
    same: dict[str, Any] = {"cpu_s": 0, "pss_bytes": 0, "uss_bytes": 0, "environ": {}}
    assert _unmarked(there[pid]._replace(**same)) == _unmarked(here._replace(**same))
    assert set(there[pid].environ) == {"PATH"}


def _unmarked(reading: snapshot.ProcessReading) -> snapshot.ProcessReading:
    """Without the marks of referenced pages, which the kernel takes off as it looks for memory."""
    return reading._replace(files=tuple(part._replace(referenced_bytes=0) for part in reading.files))


def test_a_control_group_of_its_own_counts_what_runs_in_it() -> None:
    with own_cgroup(PROC, f"mlpack-test-{os.getpid()}") as (dirs, why):
        if dirs is None:
            pytest.skip(why)
        join = f"open({str(dirs.memory / 'cgroup.procs')!r}, 'w').write('0')\na = bytearray(50 << 20)"
        with running(join) as pid:
            counters = read_counters(dirs)
            assert pids_of(dirs) == (pid,)
        assert abs(counters.anonymous_bytes - 50 * MIB) < 2 * MIB  # the interpreter's first pages belong elsewhere
        assert counters.oom_kills == 0
    assert not dirs.memory.exists()


def test_a_group_that_is_gone_reads_as_nothing(tmp_path: Path) -> None:
    assert cgroup_source(CgroupDirs(2, tmp_path / "gone", None))() is None
    assert process_source(PROC, lambda: ())() is None


def test_mapped_bytes_are_walked_again_when_a_file_is_touched(tmp_path: Path) -> None:
    """The sum stands while nothing moves, and follows a mapped file of 8 MiB once its pages are used."""
    file = tmp_path / "weights"
    file.write_bytes(bytes(8 * MIB))
    code = f"""import mmap, sys
file = open({str(file)!r}, "rb")
kept = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
print("mapped", flush=True)
for line in sys.stdin:
    sum(kept[at] for at in range(0, len(kept), 4096))
    print("touched", flush=True)
sys.stdin.close()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        try:
            read = mapped_source(Path("/proc"), lambda: (child.pid,))
            assert child.stdout.readline() == "mapped\n"
            before = read()
            child.stdin.write("go\n")
            child.stdin.flush()
            assert child.stdout.readline() == "touched\n"
            after = read()
            assert before is not None and after is not None
            assert 8 * MIB <= after - before < 9 * MIB
            assert read() == after
        finally:
            child.kill()
    assert read() in (None, after)
