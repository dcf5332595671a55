"""Projects that the process launcher can start without any server installed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

FAKE = Path(__file__).with_name("fake_gunicorn.py")


FAKE_CELERY = Path(__file__).with_name("fake_celery.py")


@pytest.fixture
def queue_project(fake_project: Path) -> Path:
    """The same with a `python -m celery` whose queue is a folder."""
    package = fake_project / "celery"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copy(FAKE_CELERY, package / "__main__.py")
    return fake_project


@pytest.fixture
def fake_project(tmp_path: Path) -> Path:
    """A folder in which `python -m gunicorn` is the stand-in."""
    return make_fake_project(tmp_path)


def make_fake_project(root: Path) -> Path:
    """Make ``root`` such a folder."""
    package = root / "gunicorn"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copy(FAKE, package / "__main__.py")
    return root
