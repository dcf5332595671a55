"""Rendered files for tests: by name, on disk, and the linters that judge them."""

from __future__ import annotations

import sys
from pathlib import Path

from mlpack.plan import Plan
from mlpack.render import render


def texts(plan: Plan, **requirements: list[str]) -> dict[str, str]:
    """File name -> text of every rendered file; ``requirements`` by service."""
    return {Path(artifact.path).name: artifact.text for artifact in render(plan, requirements)}


def write_files(plan: Plan, project: Path, **requirements: list[str]) -> Path:
    """Writes every rendered file below ``project``; returns their folder."""
    made = render(plan, requirements)
    for artifact in made:
        path = project / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(artifact.text, encoding="utf-8")
        path.chmod(artifact.mode)
    return (project / made[0].path).parent


def tool(name: str) -> str:
    """A linter of the development environment."""
    path = Path(sys.executable).parent / name
    assert path.exists(), f"{name} is missing: install the dependency group `lint`"
    return str(path)
