"""Limits against workers x models that lie in reach: weights count by their headers, preload loads once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlpack.audit import audit, read_deployment
from mlpack.audit.finding import AuditFinding
from mlpack.units import GIB

DOCKERFILE = "FROM python:3.11-slim\nRUN pip install torch gunicorn flask\nUSER 1000\n"
COMPOSE = """services:
  web:
    build: .
    command: gunicorn app:app --workers {workers} --timeout 90 {more}
    volumes: ["./models:/models:ro"]
    {limit}
"""


def project(folder: Path, *, workers: int = 4, limit: str = "mem_limit: 4g", more: str = "") -> Path:
    """A service with one safetensors file of 1 GiB of float32; sparse, so that it takes no room."""
    parameters = GIB // 4
    tensor = {"dtype": "F32", "shape": [parameters], "data_offsets": [0, GIB]}
    header = json.dumps({"w": tensor}).encode()
    (folder / "models").mkdir()
    with (folder / "models" / "a.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + GIB)
    (folder / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    (folder / "app.py").write_text("import torch\n", encoding="utf-8")
    path = folder / "compose.yaml"
    path.write_text(COMPOSE.format(workers=workers, limit=limit, more=more), encoding="utf-8")
    return path


def found(path: Path) -> list[AuditFinding]:
    return [one for one, _ in audit(read_deployment([path], None)) if one.rule == "limit-below-workers"]


def test_four_copies_of_the_weights_do_not_fit(tmp_path: Path) -> None:
    (one,) = found(project(tmp_path))
    assert one.line == 6
    assert "4 processes" in one.because
    assert "1 model" in one.because


@pytest.mark.parametrize(
    "mended", [{"workers": 2}, {"limit": "mem_limit: 12g"}, {"more": "--preload"}], ids=["workers", "limit", "preload"]
)
def test_fewer_workers_a_higher_limit_or_preload_mend_it(tmp_path: Path, mended: dict[str, object]) -> None:
    assert found(project(tmp_path, **mended)) == []  # type: ignore[arg-type]


def test_the_override_uses_the_key_of_the_file(tmp_path: Path) -> None:
    pairs = audit(read_deployment([project(tmp_path)], None))
    changes = [hit.change for one, hit in pairs if one.rule == "limit-below-workers"]
    assert "mem_limit" in changes[0]  # Compose refuses deploy's limit beside another mem_limit
    assert "deploy" not in changes[0]
