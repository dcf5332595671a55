"""Counters read through `head -v` inside a container, of both layouts."""

from __future__ import annotations

from mlpack.units import MIB
from mlpack.verify.container_counters import parse_heads

V2 = """\
==> /sys/fs/cgroup/memory.stat <==
anon 104857600
file_mapped 20971520
shmem 1048576
kernel 5242880
workingset_refault_file 10

==> /sys/fs/cgroup/memory.current <==
209715200

==> /sys/fs/cgroup/memory.events <==
low 0
oom 2
oom_kill 1

==> /sys/fs/cgroup/memory.max <==
268435456

==> /sys/fs/cgroup/cpu.stat <==
usage_usec 1
throttled_usec 1500000
"""
V1 = """\
==> /sys/fs/cgroup/memory/memory.stat <==
total_rss 104857600
total_mapped_file 20971520
total_shmem 1048576
total_workingset_refault_file 3

==> /sys/fs/cgroup/memory/memory.usage_in_bytes <==
209715200

==> /sys/fs/cgroup/memory/memory.oom_control <==
oom_kill_disable 0
under_oom 0
oom_kill 4

==> /sys/fs/cgroup/memory/memory.limit_in_bytes <==
9223372036854771712

==> /sys/fs/cgroup/memory/memory.kmem.usage_in_bytes <==
5242880
"""


def test_v2() -> None:
    counters = parse_heads(V2)
    assert counters is not None
    assert (counters.anonymous_bytes, counters.kernel_bytes, counters.shm_bytes) == (100 * MIB, 5 * MIB, MIB)
    assert (counters.oom_kills, counters.limit_bytes, counters.throttled_s) == (1, 256 * MIB, 1.5)
    assert counters.refault_bytes == 40960


def test_v1_without_a_limit() -> None:
    counters = parse_heads(V1)
    assert counters is not None
    assert (counters.anonymous_bytes, counters.kernel_bytes, counters.oom_kills) == (100 * MIB, 5 * MIB, 4)
    assert counters.limit_bytes is None


def test_a_container_that_ended_has_none() -> None:
    assert parse_heads("") is None
    assert parse_heads(V2[: len(V2) // 2]) is None
