"""The readable table says first what a process may use, and what sets it."""

from __future__ import annotations

from mlpack.host import HostFacts
from mlpack.probe.table import rows

from .test_compare import changed, host


def usable(facts: HostFacts) -> dict[str, str]:
    return {name: value for section, name, value in rows(facts) if section == "usable here"}


def test_nothing_limits() -> None:
    assert usable(host("laptop-8g")) == {
        "cores": "8 (all cores; no quota)",
        "memory": "7.61 GiB (all RAM; no limit)",
    }


def test_a_quota_and_a_limit_and_who_sets_them() -> None:
    facts = changed(
        host("laptop-8g"),
        "cgroup",
        cpu_quota_cores=1.5,
        cpu_quota_at="/jobs",
        memory_limit_bytes=2 << 30,
        memory_limit_at="/jobs/a",
    )
    assert usable(facts) == {
        "cores": "1.5 (quota of cgroup /jobs; os.cpu_count() says 8)",
        "memory": "2 GiB (limit of cgroup /jobs/a; RAM is 7.61 GiB)",
    }


def test_an_affinity() -> None:
    assert usable(changed(host("laptop-8g"), "cpu", affinity_cores=3))["cores"] == (
        "3 (affinity or cpuset; os.cpu_count() says 8)"
    )


def test_limits_above_the_machine_do_not_bind() -> None:
    facts = changed(host("laptop-8g"), "cgroup", cpu_quota_cores=64.0, memory_limit_bytes=1 << 40)
    assert usable(facts) == usable(host("laptop-8g"))


def test_an_engine_in_a_virtual_machine() -> None:
    said = usable(host("mac-16g-docker-desktop"))["in containers"]
    assert said.startswith("8 cores, 7.65 GiB (all that the engine has; ")


def test_cards() -> None:
    facts = changed(
        host("a10g"), "gpus", devices=[{**host("a10g").gpus.devices[0].model_dump(), "mig": True, "processes": 2}]
    )
    shown = [value for section, name, value in rows(facts) if (section, name) == ("accelerators", "0")]
    expected = (
        "NVIDIA A10G; 22.5 GiB, 22 GiB free; compute capability 8.6; split by MIG: no instance is made; "
        "2 processes on it; named GPU-6f1c1c1e-0000-4000-8000-00000000a10a"
    )
    assert shown == [expected]
    assert ("accelerators", "GPU", "none") in rows(host("laptop-8g"))


def test_values_are_text_without_gaps() -> None:
    for name in ("a10g", "windows-wsl2-16g", "mac-16g-docker-desktop"):
        assert all(isinstance(value, str) and value and "None" not in value for _, _, value in rows(host(name)))
