"""Tests marked ``engine`` need a container engine: in CI a missing one is a failure, elsewhere a skip with a reason."""

from __future__ import annotations

import functools
import os

import pytest

from mlpack.errors import MlpackError
from mlpack.process import run


@functools.cache
def missing_engine() -> str | None:
    """Why there is no usable engine; None when one answers and has Compose."""
    try:
        run(["docker", "info", "--format", "{{.ServerVersion}}"], timeout_s=20)
        run(["docker", "compose", "version"], timeout_s=20)
    except MlpackError as error:
        return str(error)
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse or skip engine tests before their fixtures run."""
    if item.get_closest_marker("engine") is None:
        return
    reason = missing_engine()
    if reason is not None:
        if os.environ.get("CI"):
            pytest.fail(f"CI must have a container engine (scripts/engine.sh): {reason}", pytrace=False)
        pytest.skip(f"no container engine: {reason}")
