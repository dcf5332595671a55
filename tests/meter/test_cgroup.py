"""Control group counters of both versions, and where the folders are in each layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack.errors import MlpackError
from mlpack.meter.cgroup import CgroupDirs, parse_v1, parse_v2, pids_of, read_counters
from mlpack.meter.cgroup_find import choose, parse_groups, parse_mounts
from mlpack.units import MIB

V1_STAT = """cache 6533120
rss 45002752
workingset_refault_file 1
hierarchical_memory_limit 859832320
total_cache 6533120
total_rss 85002752
total_shmem 8192
total_mapped_file 4096
total_workingset_refault_anon 0
total_workingset_refault_file 1115
"""
V2_STAT = """anon 85002752
file 6533120
kernel 3000000
kernel_stack 200000
pagetables 400000
slab 900000
sock 4096
shmem 8192
file_mapped 4096
workingset_refault_anon 7
workingset_refault_file 1115
"""


def v1(stat: str = V1_STAT, **other: str) -> object:
    texts = {"usage": "91535872\n", "kmem": "1789952\n", "oom": "under_oom 0\noom_kill 3\n", "limit": "859832320\n"}
    texts |= {"cpu": "nr_throttled 4\nthrottled_time 2500000000\n", **other}
    return parse_v1(stat=stat, page_bytes=4096, **texts)


def v2(stat: str = V2_STAT, **other: str) -> object:
    texts = {"current": "91535872\n", "events": "oom 5\noom_kill 3\n", "limit": "859832320\n"}
    texts |= {"cpu": "usage_usec 9\nthrottled_usec 2500000\n", **other}
    return parse_v2(stat=stat, page_bytes=4096, **texts)


@pytest.mark.parametrize("counters", [v1(), v2()], ids=["v1", "v2"])
def test_both_versions_tell_the_same(counters: object) -> None:
    assert counters.anonymous_bytes == 85002752  # type: ignore[attr-defined]  # with the groups below
    assert counters.refault_bytes == 1115 * 4096  # type: ignore[attr-defined]  # files only, in bytes
    assert counters.oom_kills == 3  # type: ignore[attr-defined]
    assert counters.throttled_s == 2.5  # type: ignore[attr-defined]
    assert counters.shm_bytes == 8192  # type: ignore[attr-defined]
    assert counters.limit_bytes == 820 * MIB  # type: ignore[attr-defined]


def test_no_limit_is_none() -> None:
    assert v1(limit="9223372036854771712\n").limit_bytes is None  # type: ignore[attr-defined]
    assert v2(limit="max\n").limit_bytes is None  # type: ignore[attr-defined]


def test_kernel_memory_is_one_counter_or_its_parts_or_unknown() -> None:
    before_5_18 = V2_STAT.replace("kernel 3000000\n", "")
    assert v2().kernel_bytes == 3000000  # type: ignore[attr-defined]
    assert v2(before_5_18).kernel_bytes == 200000 + 400000 + 900000 + 4096  # type: ignore[attr-defined]
    assert v1(kmem="").kernel_bytes is None  # type: ignore[attr-defined]


def test_refaults_before_linux_5_9_have_one_counter() -> None:
    assert v1(V1_STAT.replace("refault_file", "refault")).refault_bytes == 1115 * 4096  # type: ignore[attr-defined]


def test_unthrottled_groups_have_no_time() -> None:
    assert v2(cpu="").throttled_s is None  # type: ignore[attr-defined]


def test_a_group_that_is_gone_is_an_error_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(MlpackError, match=r"gone.*cannot be read"):
        read_counters(CgroupDirs(2, tmp_path / "gone", None))


def test_pids_include_groups_below(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "cgroup.procs").write_text("12\n7\n")
    (tmp_path / "below" / "cgroup.procs").write_text("99\n")
    assert pids_of(CgroupDirs(2, tmp_path, tmp_path)) == (7, 12, 99)
    assert pids_of(CgroupDirs(2, tmp_path / "gone", None)) == ()


MOUNT_V1 = "35 31 0:32 {root} /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory"
MOUNT_CPU = "32 31 0:29 {root} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct"
MOUNT_V2 = "30 23 0:26 {root} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
LAYOUTS = {
    "docker on a v1 host": (
        [MOUNT_V1.format(root="/"), MOUNT_CPU.format(root="/")],
        "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n",
        CgroupDirs(1, Path("/sys/fs/cgroup/memory/docker/abc"), Path("/sys/fs/cgroup/cpu,cpuacct/docker/abc")),
    ),
    "inside that container": (
        [MOUNT_V1.format(root="/docker/abc")],
        "4:memory:/docker/abc\n",
        CgroupDirs(1, Path("/sys/fs/cgroup/memory"), None),
    ),
    "docker on a v2 host with systemd": (
        [MOUNT_V2.format(root="/")],
        "0::/system.slice/docker-abc.scope\n",
        CgroupDirs(2, *[Path("/sys/fs/cgroup/system.slice/docker-abc.scope")] * 2),
    ),
    "own cgroup namespace": (
        [MOUNT_V2.format(root="/")],
        "0::/\n",
        CgroupDirs(2, *[Path("/sys/fs/cgroup")] * 2),
    ),
    "hybrid: v2 mounted for systemd, memory in v1": (
        [MOUNT_V2.format(root="/").replace("/sys/fs/cgroup ", "/sys/fs/cgroup/unified "), MOUNT_V1.format(root="/")],
        "4:memory:/user.slice\n1:name=systemd:/user.slice\n0::/user.slice/x.scope\n",
        CgroupDirs(1, Path("/sys/fs/cgroup/memory/user.slice"), None),
    ),
    "a path with a colon": (
        [MOUNT_V2.format(root="/")],
        "0::/system.slice/dev-disk:1.scope\n",
        CgroupDirs(2, *[Path("/sys/fs/cgroup/system.slice/dev-disk:1.scope")] * 2),
    ),
    "no control groups": (["1 1 0:1 / / rw - ext4 /dev/vda rw"], "", None),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    mounts, groups, expected = LAYOUTS[layout]
    assert choose(parse_groups(groups), parse_mounts("\n".join(mounts))) == expected


RECORDED = Path(__file__).parent.parent / "recorded_meter" / "linux-6.1-cgroup2"


def test_a_real_group_of_version_2() -> None:
    free = read_counters(CgroupDirs(2, RECORDED / "unlimited", RECORDED / "unlimited"))
    assert free.shm_bytes == 10 * MIB
    assert 20 * MIB < free.anonymous_bytes < 30 * MIB
    assert free.file_mapped_bytes >= 48 * MIB
    assert free.limit_bytes is None
    assert free.throttled_s == 0
    assert (free.refault_bytes, free.oom_kills) == (0, 0)
    squeezed = read_counters(CgroupDirs(2, RECORDED / "squeezed", None))
    assert squeezed.limit_bytes == 60 * MIB
    assert squeezed.usage_bytes <= 60 * MIB
    assert (squeezed.refault_bytes or 0) > 48 * MIB
    groups = parse_groups((RECORDED / "unlimited" / "cgroup").read_text())
    found = choose(groups, parse_mounts((RECORDED / "unlimited" / "mountinfo").read_text()))
    assert found is not None
    assert found.memory == Path("/sys/fs/cgroup/measured")
