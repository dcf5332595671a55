"""The pure parsers: odd but real texts one by one, and garbage of any kind, which raises nothing but an MlpackError."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpack.errors import MlpackError
from mlpack.probe import probe
from mlpack.probe.cdi import cdi_folders, parse_cdi
from mlpack.probe.cgroup import files_of, parse_cgroup
from mlpack.probe.cgroup_paths import hierarchies, version_of
from mlpack.probe.cpu import has_hypervisor_flag, parse_cpu
from mlpack.probe.engine import parse_engine
from mlpack.probe.engine_address import parse_address
from mlpack.probe.engine_http import NoAnswer, parse_response
from mlpack.probe.engine_reading import EngineAnswer
from mlpack.probe.gather import gather
from mlpack.probe.memory import parse_meminfo
from mlpack.probe.mounts import mount_of, parse_mountinfo
from mlpack.probe.pci import PciDevice, other_gpus
from mlpack.probe.plugins import parse_metadata
from mlpack.probe.virtualisation import Signs, is_wsl, virtualisation

from .machines import RECORDED, outside_of

V2 = "36 27 0:31 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
V1 = "50 23 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"

words = st.sampled_from(
    ["0::/", "max", "-1", "4:memory:/a", "\t: ", "processor", "flags", "/..", "..", " - ", "kB", "MemTotal:", "cgroup"]
)
text = st.lists(st.one_of(st.text(max_size=12), words, st.just("\n"), st.just(V2), st.just(V1))).map("".join)
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)


def limits(self_cgroup: str, mountinfo: str, texts: dict[str, str]) -> Any:
    mounts = parse_mountinfo(mountinfo)
    return parse_cgroup(version_of(mounts), hierarchies(self_cgroup, mounts), texts)


@given(text, text, text)
def test_garbage_in_cgroups_raises_nothing(self_cgroup: str, mountinfo: str, content: str) -> None:
    mounts = parse_mountinfo(mountinfo)
    ways = hierarchies(self_cgroup, mounts)
    parse_cgroup(version_of(mounts), ways, dict.fromkeys(files_of(ways), content))
    mount_of(PurePosixPath("/a/b"), mounts)


@given(st.sampled_from([V1, V2]), text)
def test_garbage_in_a_limit_is_listed_or_a_number(mountinfo: str, content: str) -> None:
    mounts = parse_mountinfo(mountinfo)
    ways = hierarchies("4:memory:/a\n0::/a\n", mounts)
    facts, unread = parse_cgroup(version_of(mounts), ways, dict.fromkeys(files_of(ways), content))
    said = content.strip()
    limited = said.isascii() and said.isdecimal() and int(said) < 1 << 60
    assert (facts.memory_limit_bytes is not None) == limited
    if not limited and said not in ("max", "-1") and not (said.isascii() and said.isdecimal()):
        assert "cgroup.memory_limit_bytes" in {item.name for item in unread}


@pytest.mark.parametrize(
    ("text_", "found"), [("8192\n", 8192 * 1024), ("0\n", 0), ("", None), ("-1\n", None), ("9" * 5000, None)]
)
def test_read_ahead_is_in_kib(text_: str | None, found: int | None) -> None:
    facts, _ = parse_meminfo("MemTotal: 1 kB\n", None, text_)
    assert facts.read_ahead_bytes == found


def test_a_partition_has_the_read_ahead_of_its_disk(tmp_path: Path) -> None:
    outside = outside_of(RECORDED / "firecracker-hybrid", tmp_path)
    mounts, block = tmp_path / "proc/self/mountinfo", tmp_path / "sys/dev/block"
    mounts.write_text(mounts.read_text().replace("254:0 / / ", "254:1 / / "))
    disk = tmp_path / "sys/devices/vda"
    (disk / "queue").mkdir(parents=True)
    (disk / "queue/read_ahead_kb").write_text("4096\n")
    (disk / "vda1").mkdir()
    (block / "254:1").symlink_to(disk / "vda1")
    assert probe(Path("/opt/shop"), outside=outside).memory.read_ahead_bytes == 4096 * 1024


@pytest.mark.parametrize(
    ("project_kib", "images_kib", "root", "found"),
    [
        ("128", "8192", "/var/lib/docker", "8192"),  # images are read from the engine's disk
        ("8192", "128", "/var/lib/docker", "8192"),
        ("128", "8192", "/elsewhere/docker", "128"),  # the engine is on another machine
        ("128", "8192", None, "128"),
        ("", "4096", "/var/lib/docker", "4096"),
        ("x", "9" * 5000, "/var/lib/docker", None),
    ],
)
def test_the_larger_read_ahead_of_projects_and_engines_disk(
    tmp_path: Path, project_kib: str, images_kib: str, root: str | None, found: str | None
) -> None:
    outside = outside_of(RECORDED / "firecracker-hybrid", tmp_path)
    mounts = tmp_path / "proc/self/mountinfo"
    mounts.write_text(
        mounts.read_text().replace("254:0 / / ", "254:1 / / ") + "99 1 254:16 / /var/lib/docker rw - ext4 /dev/vdb rw\n"
    )
    (tmp_path / "var/lib/docker").mkdir(parents=True)
    for device, kib in (("254:1", project_kib), ("254:16", images_kib)):
        (tmp_path / "sys/dev/block" / device / "queue").mkdir(parents=True)
        (tmp_path / "sys/dev/block" / device / "queue/read_ahead_kb").write_text(f"{kib}\n")
    answer = EngineAnswer(info=json.dumps({"DockerRootDir": root} if root else {}))
    assert gather(Path("/opt/shop"), outside, answer).read_ahead == found


@given(text)
def test_garbage_in_meminfo(content: str) -> None:
    try:
        facts, _ = parse_meminfo(content, None)
    except MlpackError:
        return
    assert facts.total_bytes >= 0


@given(text, st.lists(text, max_size=3), st.none() | st.integers(1, 4))
def test_garbage_in_cpuinfo(content: str, siblings: list[str], affinity: int | None) -> None:
    facts, _ = parse_cpu(content, siblings, "x86_64", affinity)
    assert facts.logical_cores >= 1 and facts.affinity_cores >= 1
    has_hypervisor_flag(content)


@given(st.binary(max_size=60) | st.binary(max_size=30).map(lambda tail: b"HTTP/1.0 200 OK\r\n\r\n" + tail))
def test_garbage_over_http(data: bytes) -> None:
    try:
        parse_response(data)
    except NoAnswer as error:
        assert str(error)


@given(st.text(max_size=30), st.text(max_size=30))
def test_garbage_from_an_engine(version: str, info: str) -> None:
    facts, unread = parse_engine(EngineAnswer(version, info), "Linux", 1 << 30)
    assert facts is None and unread[0].name == "engine"
    parse_metadata(info)
    cdi_folders(info)


@given(values)
def test_values_of_any_kind_from_an_engine(value: Any) -> None:
    import json

    good = {"MemTotal": 1 << 30, "NCPU": 2}
    keys = ("Runtimes", "CDISpecDirs", "DiscoveredDevices", "Name", "KernelVersion", "OperatingSystem", "CgroupVersion")
    info = json.dumps({**good, **dict.fromkeys(keys, value)})
    version = json.dumps({"Version": "1", "ApiVersion": "1", "Platform": value, "Components": value})
    facts, _ = parse_engine(EngineAnswer(version, info), "Linux", 1 << 30)
    assert facts is not None and facts.cores == 2
    parse_cdi(value)
    cdi_folders(info)


@given(st.text(max_size=40))
def test_any_address(said: str) -> None:
    address = parse_address(said, "DOCKER_HOST")
    assert address.problem or address.socket or address.host


@given(text, text, st.lists(text, max_size=3), st.booleans())
def test_any_signs(release: str, kind: str, dmi: list[str], flag: bool) -> None:
    virtualisation(Signs(release, {}, flag, tuple(dmi), kind, kind))


@given(text, text)
def test_any_bus(vendor: str, kind: str) -> None:
    other_gpus((PciDevice("0", vendor, kind, vram_total=kind), PciDevice("1", "0x1002", "0x03", vram_total=kind)))


def test_the_nearest_cgroup_is_named_where_limits_are_equal() -> None:
    texts = {"/sys/fs/cgroup/a/memory.max": "1024", "/sys/fs/cgroup/a/b/memory.max": "1024"}
    facts, _ = limits("0::/a/b\n", V2, texts)
    assert (facts.memory_limit_bytes, facts.memory_limit_at) == (1024, "/a/b")


@pytest.mark.parametrize(
    "unlimited", ["9223372036854771712", "9223372036854710272", "9223372036854775807", "-1", "max"]
)
def test_every_spelling_of_no_limit(unlimited: str) -> None:
    """4 KiB pages, 64 KiB pages (arm64), the largest signed number, and the words."""
    facts, unread = limits("4:memory:/\n", V1, {"/sys/fs/cgroup/memory/memory.limit_in_bytes": unlimited})
    assert (facts.version, facts.memory_limit_bytes, unread) == ("v1", None, ())


def test_swap_of_v1_is_what_memsw_leaves() -> None:
    folder = "/sys/fs/cgroup/memory"
    texts = {f"{folder}/memory.limit_in_bytes": "1000", f"{folder}/memory.memsw.limit_in_bytes": "1000"}
    assert limits("4:memory:/\n", V1, texts)[0].swap_limit_bytes == 0


@pytest.mark.parametrize("content", ["0 100000", "100000 0", "-5 100000", "1e5 100000", "", "max100000 1"])
def test_a_quota_of_another_form_is_listed(content: str) -> None:
    facts, unread = limits("0::/\n", V2, {"/sys/fs/cgroup/cpu.max": content})
    assert facts.cpu_quota_cores is None
    assert [item.name for item in unread] == ["cgroup.cpu_quota_cores"]


def test_a_named_v1_hierarchy_beside_v2_is_not_hybrid() -> None:
    named = "50 23 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
    assert version_of(parse_mountinfo(V2 + named)) == "v2"
    assert version_of(parse_mountinfo(V2 + V1)) == "hybrid"


def test_a_controller_lives_where_it_is_mounted() -> None:
    """Hybrid: memory in v1, the CPU quota in v2."""
    v2 = V2.replace("/sys/fs/cgroup ", "/sys/fs/cgroup/unified ")
    texts = {
        "/sys/fs/cgroup/memory/m/memory.limit_in_bytes": "4096",
        "/sys/fs/cgroup/unified/c/memory.max": "1",
        "/sys/fs/cgroup/unified/c/cpu.max": "50000 100000",
    }
    facts, _ = limits("4:memory:/m\n0::/c\n", v2 + V1, texts)
    assert (facts.version, facts.memory_limit_bytes, facts.cpu_quota_cores) == ("hybrid", 4096, 0.5)


@pytest.mark.parametrize("name", ["/../sibling", "/..", "/elsewhere", "/docker/abc-other"])
def test_a_cgroup_that_is_not_shown_has_no_limits_and_says_so(name: str) -> None:
    mounted = V2.replace("0:31 / ", "0:31 /docker/abc ")
    facts, unread = limits(f"0::{name}\n", mounted, {"/sys/fs/cgroup/memory.max": "4096"})
    assert facts.memory_limit_bytes is None
    assert "cgroup.memory" in {item.name for item in unread}


def test_a_mount_point_with_a_space() -> None:
    (mount,) = parse_mountinfo("1 0 8:1 / /mnt/my\\040disk rw,relatime shared:1 master:2 - ext4 /dev/sda1 rw\n")
    assert (mount.point, mount.filesystem, mount.source) == ("/mnt/my disk", "ext4", "/dev/sda1")


def test_the_deepest_and_latest_mount_holds_a_path() -> None:
    lines = ("/ rw - ext4 a rw", "/home rw - xfs b rw", "/home rw - btrfs c rw", "/homes rw - tmpfs d rw")
    mounts = parse_mountinfo("".join(f"1 0 8:1 / {line}\n" for line in lines))
    found = [mount_of(PurePosixPath(path), mounts) for path in ("/home/me", "/homes", "/etc")]
    assert [mount and mount.filesystem for mount in found] == ["btrfs", "tmpfs", "ext4"]


def test_extensions_are_those_of_every_core() -> None:
    """A hybrid chip: a thread may land on the core without them."""
    info = "processor: 0\nflags: avx2 avx512f\n\nprocessor: 1\nflags: avx2\n"
    assert parse_cpu(info, (), "x86_64", 2)[0].extensions == ("avx2",)


def test_two_sockets_and_hyperthreads() -> None:
    info = "\n\n".join(f"processor: {n}\nphysical id: {n // 4}\ncore id: {n % 2}" for n in range(8))
    facts, _ = parse_cpu(info, (), "x86_64", 6)
    assert (facts.logical_cores, facts.physical_cores, facts.affinity_cores) == (8, 4, 6)


def test_shared_sibling_lists_are_one_core() -> None:
    info = "processor: 0\n\nprocessor: 1\n\nprocessor: 2\n\nprocessor: 3\n"
    assert parse_cpu(info, ("0,2\n", "1,3\n", "0,2\n", "1,3\n"), "x86_64", 4)[0].physical_cores == 2


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        (Signs(), None),
        (Signs(hypervisor_flag=True), "vm"),
        (Signs(hypervisor_flag=True, dmi=("Standard PC", "QEMU")), "qemu"),
        (Signs(dmi=("Amazon EC2",)), None),  # EC2 bare metal
        (Signs(dmi=("Surface Laptop", "Microsoft Corporation")), None),
        (Signs(hypervisor_flag=True, dmi=("Virtual Machine", "Microsoft Corporation")), "hyper-v"),
        (Signs(hypervisor_type="linux,kvm\0"), "kvm"),
        (Signs(hypervisor_type="xen\n"), "xen"),
        (Signs(dockerenv=True), "docker"),
        (Signs(dockerenv=True, root_on_device=True), None),  # left over from an image
        (Signs(container_file="lxc\n"), "lxc"),
        (Signs(containerenv=True, hypervisor_flag=True, dmi=("KVM",)), "podman on kvm"),
        (Signs(release="5.15.167.4-microsoft-standard-WSL2", dockerenv=True), "docker on wsl"),
    ],
)
def test_virtualisation(signs: Signs, expected: str | None) -> None:
    assert virtualisation(signs) == expected


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        (Signs(release="4.4.0-19041-Microsoft"), True),
        (Signs(release="6.6.0-mine", wsl_folder=True), True),
        (Signs(release="6.6.0-mine", environ={"WSL_DISTRO_NAME": "Debian"}), True),
        (Signs(release="6.6.0"), False),
    ],
)
def test_wsl(signs: Signs, expected: bool) -> None:
    assert is_wsl(signs) is expected


def test_no_memory_is_an_error_with_a_way_out() -> None:
    with pytest.raises(MlpackError) as caught:
        parse_meminfo(None, None)
    assert caught.value.hint and "--host" in caught.value.hint
