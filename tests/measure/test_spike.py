"""A spike of 300 MiB that is gone within 50 ms is caught every time, wherever in the worker's processes it happens.

Caught is counted, not timed: the kernel's mark of the highest RSS remembers what no sampler may have seen.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlpack.measure.watch import Watch
from mlpack.units import MIB

pytestmark = pytest.mark.slow

TRIES = 20
SPIKING = """
import mmap, sys, time
for line in sys.stdin:
    held = mmap.mmap(-1, 300 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(0, len(held), 4096):
        held[page] = 1
    time.sleep(0.05)
    held.close()
    print("gone", flush=True)
"""
PARENT = f"""
import subprocess, sys
held = bytearray(60 << 20)
held[::4096] = b"x" * (len(held) // 4096)
sys.exit(subprocess.Popen([sys.executable, "-c", {SPIKING!r}]).wait())
"""


def caught(program: str, mib: int) -> int:
    """How many of 20 spikes show in the peak of their stage, and not in the stage after; ``mib``: held besides."""
    argv = [sys.executable, "-c", program]
    seen = 0
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None

        def spike() -> None:
            child.stdin.write("go\n")  # type: ignore[union-attr]
            child.stdin.flush()  # type: ignore[union-attr]
            assert child.stdout.readline() == "gone\n"  # type: ignore[union-attr]

        spike()  # its process is there from now on
        with Watch(Path("/proc"), child.pid, {}, None) as watch:
            watch.stop("app", 0)
            for _ in range(TRIES):
                spike()
                during = watch.stop("startup", 0)
                after = watch.stop("first", 0)
                low, high = (300 + mib) * MIB, (340 + mib) * MIB
                seen += low <= during.anonymous_peak_bytes < high and after.anonymous_peak_bytes < (40 + mib) * MIB
        child.stdin.close()
    return seen


def test_every_spike_of_the_worker_itself() -> None:
    assert caught(SPIKING, 0) == TRIES


def test_every_spike_of_a_process_that_the_worker_started() -> None:
    assert caught(PARENT, 60) == TRIES
