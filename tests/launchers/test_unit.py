"""Units as the checks see them, and who may be tried as units where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.targets.test_systemd import hybrid, made

from mlpack.errors import VerifyError
from mlpack.launchers import systemd, unit, unit_traces
from mlpack.launchers.base import Deployment
from mlpack.launchers.owner import current_owner, parse_owner
from mlpack.launchers.unit import Unit, unit_state
from mlpack.launchers.unit_traces import NOTE
from mlpack.process import Completed
from mlpack.verify import _choose


def said(active: str, sub: str = "", pid: int = 0, **more: str) -> dict[str, str]:
    return {"ActiveState": active, "SubState": sub, "MainPID": str(pid), **more}


@pytest.mark.parametrize(
    ("shown", "running", "code", "oom"),
    [
        (said("active", "running", 7), True, None, False),
        (said("activating", "start-post", 7), True, None, False),
        (said("deactivating", "stop-sigterm", 7), True, None, False),
        # between two starts nothing runs
        (said("activating", "auto-restart", ExecMainCode="1", ExecMainStatus="3"), False, 3, False),
        (said("inactive", "dead", ExecMainCode="1", ExecMainStatus="0"), False, 0, False),
        (said("failed", "failed", ExecMainCode="2", ExecMainStatus="9", Result="oom-kill"), False, 137, True),
        (said("failed", "failed", ExecMainCode="2", ExecMainStatus="15", Result="signal"), False, 143, False),
        ({}, False, 0, False),
    ],
)
def test_states(shown: dict[str, str], running: bool, code: int | None, oom: bool) -> None:
    state = unit_state(shown)
    assert (state.running, state.exit_code, state.oom_killed) == (running, code, oom)


def test_addresses_are_the_hosts_own() -> None:
    plan = made()
    assert Unit(plan, "web").url == "http://127.0.0.1:8000"
    assert Unit(plan, "proxy").url == "https://127.0.0.1:443"
    assert Unit(plan, "proxy").plain_url == "http://127.0.0.1:80"
    assert (Unit(plan, "queue").url, Unit(plan, "worker").url) == (None, None)


@pytest.mark.parametrize(("wanted", "words"), [(None, "was not started by it"), ("compose", "not containers: worker")])
def test_units_that_cannot_run_here_are_named(
    wanted: str | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "BOOTED", tmp_path / "none")
    with pytest.raises(VerifyError, match=words) as caught:
        _choose(wanted, hybrid(), {}, print)
    assert caught.value.hint


def deployment(folder: Path, **more: Any) -> Deployment:
    (folder / "systemd").mkdir()
    (folder / "systemd" / "install.sh").write_text("#!/bin/sh\n")
    return Deployment(root=Path("/opt/shop"), folder=folder, plan=made(**more), owner=current_owner(), environ={})


def test_a_project_that_is_installed_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "units"
    installed.mkdir()
    (installed / "shop-web.service").write_text("")
    monkeypatch.setattr(unit_traces, "INSTALLED", installed)
    with pytest.raises(VerifyError, match=r"installed here already: .*shop-web\.service"):
        systemd.launch(deployment(tmp_path), print)


def test_a_project_must_lie_where_its_units_look_for_it(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="find their project at /srv/shop"):
        systemd.launch(deployment(tmp_path, root="/srv/shop"), print)


def test_a_trial_notes_what_it_will_make_before_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_traces, "DROP_INS", tmp_path)
    owner = current_owner()
    traces = unit_traces.traces_of(made(), tmp_path / "install.sh", owner)
    text = (tmp_path / "shop-web.service.d" / NOTE).read_text()
    assert "[Service]\nRestart=no\n" in text
    assert parse_owner(text.splitlines()[0].removeprefix("# owner: ")) == owner
    assert len(traces.notes) == 4
    assert {str(folder) for folder in traces.folders} == {
        "/var/lib/shop-queue",
        "/var/lib/shop-proxy",
        "/opt/shop/data",
    }
    assert traces.user == "shop"


def test_a_unit_of_a_trial_may_be_restarted_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trial's note turns restarts off; without that line the unit's own policy is in force, and then again not."""
    monkeypatch.setattr(unit_traces, "DROP_INS", tmp_path)
    asked: list[tuple[str, ...]] = []

    def answer(words: Sequence[str], **_: object) -> Completed:
        asked.append(tuple(words))
        return Completed(tuple(words), 0, "always\n", "")

    monkeypatch.setattr(unit, "run", answer)
    unit_traces.traces_of(made(), tmp_path / "install.sh", current_owner())
    note = tmp_path / "shop-web.service.d" / NOTE
    before = note.read_text()
    keeping = unit.Unit(made(), "web").let_restart(on=True)
    assert (keeping.policy, keeping.problem) == ("always", None)
    assert "Restart" not in note.read_text()
    assert note.read_text().startswith("# owner: "), "whose trial it is stays known"
    assert ("systemctl", "daemon-reload") in asked
    unit.Unit(made(), "web").let_restart(on=False)
    assert note.read_text() == before
