"""No false alarm: what mlpack renders itself, and working deployments in the styles that public ones are written in."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack.audit import audit, read_deployment

ROOT = Path(__file__).parents[2]
RENDERED = sorted(ROOT.glob("examples/*/deploy/*/compose.yaml"))
UNITS = sorted(ROOT.glob("examples/*/deploy/*/systemd/*.service"))
HEALTHY = sorted((Path(__file__).parent / "healthy").glob("*/*compose*.y*ml"))


def worse(*paths: Path) -> list[str]:
    return [
        f"{one.rule} {one.file}:{one.line}" for one, _ in audit(read_deployment(paths, None)) if one.severity != "note"
    ]


@pytest.mark.parametrize("path", RENDERED, ids=lambda path: str(path.relative_to(ROOT)))
def test_rendered_files_have_no_fault(path: Path) -> None:
    assert worse(path) == []


@pytest.mark.parametrize("path", UNITS, ids=lambda path: str(path.relative_to(ROOT)))
def test_rendered_units_have_no_fault(path: Path) -> None:
    assert worse(path) == []


@pytest.mark.parametrize("path", HEALTHY, ids=lambda path: path.parent.name)
def test_working_deployments_have_no_fault(path: Path) -> None:
    assert worse(path) == []


def test_there_is_something_to_look_at() -> None:
    assert len(RENDERED) >= 6
    assert len(UNITS) >= 4
    assert len(HEALTHY) == 5
