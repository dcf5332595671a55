"""Control groups for local processes: made with the planned limits, or the reason why not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlpack.launchers import local_limit
from mlpack.launchers.local_limit import Limit, Wanted, make_limit, remove, systemd_scope
from mlpack.process import Completed
from mlpack.units import MIB

WANTED = Wanted(memory_bytes=64 * MIB, cpus=1.5, pids=50)


def fake_proc(tmp_path: Path, cgroup: str, mountinfo: str) -> Path:
    """A /proc of a process in these groups."""
    for name in ("self", str(os.getpid())):
        folder = tmp_path / "proc" / name
        folder.mkdir(parents=True)
        (folder / "cgroup").write_text(cgroup)
        (folder / "mountinfo").write_text(mountinfo)
    return tmp_path / "proc"


def test_a_system_without_control_groups_says_so(tmp_path: Path) -> None:
    limit = make_limit("run-web-1", WANTED, {}, proc=tmp_path)
    assert limit.folders == ()
    assert "no control groups" in limit.not_limited[0]


def test_v1_makes_a_group_per_controller_and_names_those_it_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, cpu = tmp_path / "memory" / "me", tmp_path / "cpu" / "me"
    memory.mkdir(parents=True)
    cpu.mkdir(parents=True)
    proc = fake_proc(
        tmp_path,
        "4:memory:/me\n3:cpu:/me\n2:pids:/gone\n",
        f"1 2 0:1 / {tmp_path}/memory rw - cgroup cgroup rw,memory\n"
        f"1 2 0:2 / {tmp_path}/cpu rw - cgroup cgroup rw,cpu\n"
        f"1 2 0:3 / {tmp_path}/pids rw - cgroup cgroup rw,pids\n",
    )
    written: dict[str, str] = {}
    monkeypatch.setattr(local_limit, "_write", lambda file, value: written.update({file.name: value}))
    limit = make_limit("run-web-1", WANTED, {}, proc=proc)
    assert limit.folders == (memory / "run-web-1", cpu / "run-web-1")
    assert written == {
        "memory.limit_in_bytes": str(64 * MIB),
        "memory.memsw.limit_in_bytes": str(64 * MIB),
        "cpu.cfs_period_us": "100000",
        "cpu.cfs_quota_us": "150000",
    }
    assert len(limit.not_limited) == 1
    assert limit.not_limited[0].startswith("process count (50) of run-web-1: no control group could be made")
    assert remove(limit) == ()
    assert not (memory / "run-web-1").exists()


def test_v2_makes_a_sibling_and_cleans_up_when_a_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "cg" / "slice" / "me.scope"
    own.mkdir(parents=True)
    (tmp_path / "cg" / "slice" / "cgroup.procs").touch()
    proc = fake_proc(tmp_path, "0::/slice/me.scope\n", f"1 2 0:1 / {tmp_path}/cg rw - cgroup2 cgroup2 rw\n")
    monkeypatch.setattr(local_limit, "systemd_scope", lambda *_: ())
    refused = make_limit("run-web-1", WANTED, {}, proc=proc)  # memory.max is not there: not delegated
    assert refused.folders == ()
    assert "memory.max could not be set" in refused.not_limited[0]
    assert not (own.parent / "run-web-1").exists()
    written: dict[str, str] = {}
    monkeypatch.setattr(local_limit, "_write", lambda file, value: written.update({file.name: value}))
    limit = make_limit("run-web-1", WANTED, {}, proc=proc)
    assert limit.folders == (own.parent / "run-web-1",)
    assert (written["memory.max"], written["memory.swap.max"]) == (str(64 * MIB), "0")
    assert (written["cpu.max"], written["pids.max"]) == ("150000 100000", "50")
    assert remove(limit) == ()


def test_systemd_is_asked_for_a_scope_with_the_same_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def answer(argv: tuple[str, ...], **_: object) -> Completed:
        asked.append(argv)
        return Completed(argv, 0, "", "")

    monkeypatch.setattr(local_limit, "run", answer)
    words = systemd_scope("run-web-1", WANTED, {})
    assert words[0] == "systemd-run"
    assert words[-3:] == ("--unit", "run-web-1", "--")
    for setting in (f"MemoryMax={64 * MIB}", "MemorySwapMax=0", "CPUQuota=150%", "TasksMax=50"):
        assert setting in words
    assert asked[0][-1] == "true"


def test_nothing_made_is_nothing_to_remove() -> None:
    assert remove(Limit()) == ()
