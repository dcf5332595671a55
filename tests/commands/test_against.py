"""``probe --against``: has the machine changed since the lock was written, in what a plan depends on?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.commands.conftest import Command

from mlpack.lock import Lock

pytestmark = pytest.mark.slow

LOCK = "deploy/prod/mlpack.lock"


def test_same_then_another_machine_then_no_lock(mlpack: Command, project: Path) -> None:
    assert mlpack("render", "prod").returncode == 0
    same = mlpack("probe", "--against", LOCK)
    assert same.returncode == 0, same.stdout + same.stderr
    assert json.loads(mlpack("probe", "--against", "deploy/prod", "--json").stdout) == {"same": True, "differences": []}

    lock = Lock.model_validate_json((project / LOCK).read_text(encoding="utf-8"))
    host = lock.world.host
    doubled = host.memory.model_copy(update={"total_bytes": 2 * host.memory.total_bytes})
    other = lock.world.model_copy(update={"host": host.model_copy(update={"memory": doubled})})
    (project / LOCK).write_text(lock.model_copy(update={"world": other}).to_json(), encoding="utf-8")
    differs = mlpack("probe", "--against", LOCK)
    assert differs.returncode == 1
    assert differs.stdout.startswith("RAM: ")
    assert "mlpack render prod --reprobe" in differs.stderr

    (project / LOCK).write_text("{", encoding="utf-8")
    assert mlpack("probe", "--against", LOCK).returncode == 2
    for path in ("absent/mlpack.lock", "mlpack.yaml", "."):
        gone = mlpack("probe", "--against", path)
        assert gone.returncode == 2, path
        assert "deploy/prod/mlpack.lock" in gone.stderr
        assert "Traceback" not in gone.stderr
