"""Compose's own reading of a file, for tests that need its plugin but no engine."""

from __future__ import annotations

import os

import pytest

from mlpack.errors import MlpackError
from mlpack.process import Completed, run


def compose_config(*files: str, check: bool = True) -> Completed:
    """`docker compose config` of ``files`` as JSON. Without docker or its plugin a failure in CI, elsewhere a skip."""
    reason = missing_plugin()
    if reason is not None:
        if os.environ.get("CI"):
            pytest.fail(f"CI must have docker and its compose plugin (scripts/engine.sh): {reason}", pytrace=False)
        pytest.skip(f"no compose: {reason}")
    named = [word for file in files for word in ("--file", file)]
    return run(["docker", "compose", *named, "config", "--format", "json"], timeout_s=60, check=check)


def missing_plugin() -> str | None:
    """Why there is no `docker compose`; None where there is."""
    try:
        run(["docker", "compose", "version", "--short"], timeout_s=20)
    except MlpackError as error:
        return str(error)
    return None
