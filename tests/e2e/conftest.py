"""Real containers: one small image shared by every fault, made once; each test's project is a folder of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlpack.launchers import engine
from mlpack.process import run

IMAGE = "mlpack-e2e-matrix:latest"
MATRIX = Path(__file__).parent / "matrix"
COMMAND = ("gunicorn", "--bind", "0.0.0.0:8000", "--worker-tmp-dir", "/dev/shm", "--no-control-socket")


@pytest.fixture(scope="session")
def matrix_image() -> str:
    """The image whose app misbehaves as MODE says."""
    run(["docker", "build", "--quiet", "--tag", IMAGE, str(MATRIX)], timeout_s=300)
    return IMAGE


def write_project(
    root: Path, image: str, *, workers: int = 2, memory: str = "128m", arguments: tuple[str, ...] = (), **service: Any
) -> None:
    """A hand-written deploy/prod/compose.yaml of one service ``web`` below ``root``."""
    folder = root / "deploy" / "prod"
    folder.mkdir(parents=True)
    value = {
        "name": "hand",
        "services": {
            "web": {
                "image": image,
                "init": True,
                "command": [*COMMAND, "--workers", str(workers), *arguments, "app:app"],
                "ports": ["127.0.0.1:8000:8000"],
                "mem_limit": memory,
                "memswap_limit": memory,
                "restart": "unless-stopped",
                **service,
            }
        },
    }
    (folder / "compose.yaml").write_text(json.dumps(value), encoding="utf-8")  # JSON is YAML


@pytest.fixture
def project(tmp_path: Path, matrix_image: str) -> Callable[..., Path]:
    """Makes such a project of the matrix image; ``mode`` is its MODE."""

    def make(mode: str = "ok", **values: Any) -> Path:
        write_project(tmp_path, **{"image": matrix_image, "environment": {"MODE": mode}, **values})
        return tmp_path

    return make


@pytest.fixture
def nothing_left() -> Callable[[], tuple[engine.Found, ...]]:
    """Containers, networks and volumes of this process's runs that still exist."""

    def look() -> tuple[engine.Found, ...]:
        mine = f"pid={os.getpid()} "
        return tuple(found for found in engine.labelled(os.environ) if mine in found.label)

    return look
