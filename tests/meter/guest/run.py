"""Runs as root in the guest, on cgroup v2: known amounts of memory in groups of their own, told as one line of JSON.

What mlpack's own code reads there, and the raw files it read them from.
"""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from mlpack.meter.cache import evict, resident_bytes
from mlpack.meter.cgroup import CgroupDirs, read_counters
from mlpack.meter.cgroup_find import find_cgroup
from mlpack.meter.cgroup_own import own_cgroup
from mlpack.meter.snapshot import snapshot
from mlpack.meter.sources import cgroup_source
from mlpack.meter.totals import totals

MIB = 2**20
PROC = Path("/proc")
FILES = ("memory.current", "memory.max", "memory.events", "memory.stat", "cpu.stat", "cgroup.procs")
HOLD = """
import mmap, os, sys
def used(mib, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, handle=-1):
    held = mmap.mmap(handle, mib << 20, flags)
    for page in range(0, len(held), 4096):
        held[page] = 1
    return held
held = used(20)
memory = os.memfd_create("shared"); os.ftruncate(memory, 10 << 20)
shared = used(10, mmap.MAP_SHARED, memory)
with open("/work/weights.bin", "rb") as file:
    view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
def look(): return sum(view[page] for page in range(0, len(view), 4096))
look()
print("held", flush=True)
for line in sys.stdin:
    if line == "look\\n": look()
    if line == "more\\n": more = used(200)
    print("done", flush=True)
"""
LAUNCH = "import os, sys\nopen(sys.argv[1], 'w').write('0')\nos.execv(sys.argv[2], sys.argv[2:])\n"


def counters(dirs: CgroupDirs) -> dict[str, Any]:
    """As a dictionary."""
    return {**vars(read_counters(dirs))}


def tree(dirs: CgroupDirs, pid: int) -> dict[str, str]:
    """The files that were read, by their path."""
    paths = [dirs.memory / name for name in FILES]
    paths += [PROC / str(pid) / name for name in ("cgroup", "status", "smaps_rollup", "mountinfo")]
    return {str(path).replace(f"/{pid}/", "/PID/"): path.read_text() for path in paths}


def main() -> None:
    """Hold, squeeze, kill; then tell."""
    weights = Path("/work/weights.bin")
    weights.write_bytes(os.urandom(48 * MIB))
    said: dict[str, Any] = {"kernel": os.uname().release}
    cold = evict([weights])
    said["evicted"] = {"cold": cold.cold, "resident_bytes": resident_bytes(weights)}
    with weights.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        said["touched"] = sum(view[page] for page in range(0, len(view), 4096)) >= 0
        said["warm_because"] = evict([weights]).because()
    evict([weights])
    with own_cgroup(PROC, "measured") as (dirs, why):
        assert dirs is not None, why
        join = str(dirs.memory / "cgroup.procs")
        argv = [sys.executable, "-c", LAUNCH, join, sys.executable, "-c", HOLD]
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        send, answers = child.stdin, child.stdout
        assert send is not None
        assert answers is not None

        def ask(word: str) -> str:
            send.write(word + "\n")
            send.flush()
            return answers.readline()

        assert answers.readline() == "held\n"
        found = find_cgroup(PROC, child.pid)
        said["found"] = str(found.memory) if found else None
        said["unlimited"] = counters(dirs)
        quick = cgroup_source(dirs)()
        said["quick"] = quick._asdict() if quick else None
        held = totals(snapshot(PROC, [child.pid]))
        said["process"] = {
            "anonymous_bytes": held.anonymous_bytes,
            "mapped_bytes": held.mapped_bytes,
            "shm_bytes": held.shm_bytes,
        }
        said["tree"] = tree(dirs, child.pid)
        (dirs.memory / "memory.max").write_text(str(60 * MIB))
        for _ in range(3):
            ask("look")
        said["squeezed"] = counters(dirs)
        said["squeezed_tree"] = tree(dirs, child.pid)
        said["answer_to_more"] = ask("more")
        said["exit"] = child.wait()
        said["killed"] = counters(dirs)
    said["gone"] = not dirs.memory.exists()
    sys.stdout.write(json.dumps(said) + "\n")


main()
