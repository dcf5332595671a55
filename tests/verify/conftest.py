"""Projects that the process launcher can start without any server installed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

FAKE = Path(__file__).with_name("fake_gunicorn.py")


@pytest.fixture
def fake_project(tmp_path: Path) -> Path:
    """A folder in which `python -m gunicorn` is the stand-in."""
    package = tmp_path / "gunicorn"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copy(FAKE, package / "__main__.py")
    return tmp_path
