"""Secrets made by the deployment's own script, and read as services get them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from tests.artifacts import write_files
from tests.planner.build import UVICORN
from tests.planner.build import plan as make_plan

from mlpack.errors import VerifyError
from mlpack.launchers.secret_values import make_secrets, read_secrets
from mlpack.plan import Plan


def keyed() -> Plan:
    """A web service with a key of the user's and a queue with a password of its own."""
    web = {**UVICORN, "models": [], "env": {"KEY": {"secret": "key"}}}
    return make_plan(
        {"web": web, "queue": {"server": "redis"}}, {}, secrets=("key", "unused"), build={"requirements": "r.txt"}
    )


def test_what_is_missing_is_made_and_what_is_there_stays(tmp_path: Path) -> None:
    plan, said = keyed(), list[str]()
    folder = write_files(plan, tmp_path)
    (folder / "secrets").mkdir()
    (folder / "secrets" / "key").write_text("mine \n\n")
    make_secrets(plan, folder, dict(os.environ), said.append)
    found = read_secrets(plan, folder)
    assert found["key"] == "mine ", "less the last newlines, as a shell reads it"
    assert len(found["queue-password"]) == 48
    assert sorted(found) == ["key", "queue-password"], "a secret without a value is no empty one"
    assert not any(value in line for value in found.values() for line in said)
    assert stat.S_IMODE((folder / "secrets").stat().st_mode) == 0o700
    make_secrets(plan, folder, dict(os.environ), said.append)
    assert read_secrets(plan, folder) == found


def test_a_plan_without_secrets_needs_no_script(tmp_path: Path) -> None:
    plan = make_plan({"web": {**UVICORN, "models": []}}, {})
    make_secrets(plan, tmp_path, {}, lambda _: None)
    assert read_secrets(plan, tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_value_that_cannot_be_placed_is_named_not_shown(tmp_path: Path) -> None:
    plan = keyed()
    folder = write_files(plan, tmp_path)
    (folder / "secrets").mkdir()
    (folder / "secrets" / "key").write_text("one\ntwo")
    with pytest.raises(VerifyError, match="secrets/key has several lines") as caught:
        make_secrets(plan, folder, dict(os.environ), lambda _: None)
    assert "two" not in str(caught.value)


def test_a_missing_script_and_an_unreadable_value(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="script that makes secrets is missing"):
        make_secrets(keyed(), tmp_path, {}, lambda _: None)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_bytes(b"\xff\xfe")
    with pytest.raises(VerifyError, match="cannot be read: UnicodeDecodeError"):
        read_secrets(keyed(), tmp_path)
