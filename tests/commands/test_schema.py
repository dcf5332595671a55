"""``mlpack schema`` prints one, and names those there are."""

from __future__ import annotations

import json

import pytest
from tests.commands.conftest import Command

pytestmark = pytest.mark.slow


def test_schema(mlpack: Command) -> None:
    done = mlpack("schema")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["title"] == "mlpack.yaml"
    assert json.loads(mlpack("schema", "plan").stdout)["title"] == "Plan"


def test_no_such_schema(mlpack: Command) -> None:
    done = mlpack("schema", "plans")
    assert done.returncode == 2
    assert "known: spec, profile, plan" in done.stderr
