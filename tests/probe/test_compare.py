"""What a lock keeps of a machine, and what is said when another machine stands in its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlpack.host import CgroupFacts, GpuFacts, GpuSetFacts, HostFacts, Unread
from mlpack.probe.compare import differences, stable
from mlpack.probe.table import rows

HOSTS = Path(__file__).parents[1] / "hosts"
NAMES = sorted(path.stem for path in HOSTS.glob("*.json"))


def host(name: str) -> HostFacts:
    return HostFacts.model_validate_json((HOSTS / f"{name}.json").read_text())


def changed(facts: HostFacts, part: str, **values: Any) -> HostFacts:
    """``facts`` with other values in one part, validated."""
    old = facts.model_dump()
    return HostFacts.model_validate({**old, part: {**old[part], **values}})


def test_the_machines_to_plan_for() -> None:
    wanted = {"a10g", "ci-2c-24g", "laptop-8g", "mac-16g-docker-desktop", "server-64c-256g", "windows-wsl2-16g"}
    assert wanted <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_host_files_are_as_they_would_be_written(name: str) -> None:
    facts = host(name)
    assert facts.to_json() == (HOSTS / f"{name}.json").read_text()
    assert facts.cores >= 1 and facts.memory_bytes > 1 << 30
    assert rows(facts)


@pytest.mark.parametrize("name", NAMES)
def test_only_a_machine_itself_is_without_differences(name: str) -> None:
    facts = host(name)
    assert differences(facts, stable(facts)) == ()
    assert all(differences(facts, host(other)) for other in NAMES if other != name)


def test_a_disk_that_reads_further_ahead_is_another_machine() -> None:
    facts = host(NAMES[0])
    usual, far = (changed(facts, "memory", read_ahead_bytes=kib * 1024) for kib in (128, 8192))
    assert differences(usual, far) == ("the disk's read-ahead: 128 KiB, now 8 MiB",)
    assert differences(facts, far) == (), "a lock from before it was read"


VOLATILE: tuple[Callable[[HostFacts], HostFacts], ...] = (
    lambda facts: changed(facts, "memory", available_bytes=1, swap_free_bytes=7),
    lambda facts: changed(facts, "cgroup", path="/user.slice/user-1001.slice/session-99.scope"),
    lambda facts: changed(facts, "disk", free_bytes=1, path="/somewhere/else"),
    lambda facts: facts.model_copy(update={"unread": (Unread(name="engine", reason="busy"),)}),
    lambda facts: changed(
        facts,
        "gpus",
        devices=[{**gpu.model_dump(), "memory_free_bytes": 1, "processes": 9} for gpu in facts.gpus.devices],
    ),
)


@pytest.mark.parametrize("change", VOLATILE)
def test_what_changes_by_the_minute_changes_no_lock(change: Callable[[HostFacts], HostFacts]) -> None:
    facts = host("a10g")
    other = change(facts)
    assert other != facts
    assert stable(other) == stable(facts)
    assert differences(facts, other) == ()


def test_ids_in_cgroup_names_are_left_out() -> None:
    def limited(at: str) -> HostFacts:
        return host("laptop-8g").model_copy(
            update={"cgroup": CgroupFacts(version="v2", memory_limit_bytes=1 << 30, memory_limit_at=at)}
        )

    pods = [
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-pod{uid}.slice/cri-containerd-{container}.scope"
        for uid, container in (("2f8a1c3e_11d2", "9b1deb4d3b7d4bad"), ("77aa0c9d_0002", "1f0e2d3c4b5a6978"))
    ]
    assert stable(limited(pods[0])) == stable(limited(pods[1]))
    kept = stable(limited("/user.slice/user-1000.slice/session-3.scope")).cgroup.memory_limit_at
    assert kept == "/user.slice/user-*.slice/session-*.scope"
    assert stable(limited("/mlops.slice/train.slice")).cgroup.memory_limit_at == "/mlops.slice/train.slice"


A10G = host("a10g")


@pytest.mark.parametrize(
    ("part", "values", "said"),
    [
        ("cpu", {"affinity_cores": 2}, ("usable cores: 4, now 2",)),
        ("cpu", {"physical_cores": 4}, ("physical cores: 2, now 4",)),
        ("cpu", {"extensions": ("avx", "f16c", "fma", "sse4_2")}, ("vector extensions lost: avx2",)),
        ("cgroup", {"cpu_quota_cores": 1.5}, ("usable cores: 4, now 1.5",)),
        ("cgroup", {"memory_limit_bytes": 2 << 30}, ("memory limit: none, now 2 GiB",)),
        ("cgroup", {"pids_limit": 100}, ("process limit: none, now 100",)),
        ("memory", {"swap_total_bytes": 1 << 30}, ("swap: 0 B, now 1 GiB",)),
        ("memory", {"total_bytes": A10G.memory.total_bytes - (50 << 20)}, ()),
        ("memory", {"total_bytes": 8 << 30}, ("RAM: 15.2 GiB, now 8 GiB",)),
        ("gpus", {"devices": ()}, ("accelerators: 1 x NVIDIA A10G 22 GiB, now none",)),
        ("gpus", {"cuda": "12.4"}, ("highest CUDA version of the driver: 12.8, now 12.4",)),
        ("gpus", {"driver": "570.172.08"}, ()),
        ("engine", {"version": "28.3.0"}, ()),
        ("engine", {"version": "29.0.0"}, ("container engine's version: 28.1.1, now 29.0.0",)),
        ("engine", {"gpu_runtime": False, "cdi_devices": ()}, (
            "how containers get GPUs: nvidia runtime, nvidia.com/gpu=0, nvidia.com/gpu=all, now none",
        )),
    ],
)  # fmt: skip
def test_differences_in_words(part: str, values: dict[str, Any], said: tuple[str, ...]) -> None:
    assert differences(A10G, changed(A10G, part, **values)) == said


def test_an_engine_that_went_away() -> None:
    gone = A10G.model_copy(update={"engine": None})
    assert differences(A10G, gone) == ("container engine: Docker Engine - Community 28.1.1, now none",)
    assert differences(gone, A10G) == ("container engine: none, now Docker Engine - Community 28.1.1",)
    assert differences(gone, gone) == ()


def test_equal_cards_in_another_order_are_the_same_set() -> None:
    def cards(*names: str) -> HostFacts:
        devices = tuple(GpuFacts(vendor="nvidia", name=name, uuid=f"GPU-{at}") for at, name in enumerate(names))
        return A10G.model_copy(update={"gpus": GpuSetFacts(devices=devices)})

    assert differences(cards("L4", "T4"), cards("T4", "L4")) == ()
    assert differences(cards("L4", "L4"), cards("L4")) == ("accelerators: 2 x L4, now 1 x L4",)
