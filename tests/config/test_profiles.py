"""The built-in profiles: every line says why, one machine may differ by a file, and opposites are not combined."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlpack.config import LoadedSpec
from mlpack.errors import UsageError

Load = Callable[..., LoadedSpec]
PROFILES = sorted((Path(__file__).parents[2] / "profiles").glob("*.yaml"))


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_line_is_documented(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith(f'# mlpack\'s profile "{path.stem}"')
    for line in lines:
        head = line.endswith(":") and not line.startswith(" ")
        assert head or " # " in line or line.startswith("#"), line


def test_one_machine_differs_by_a_file(load: Load, tmp_path: Path) -> None:
    edge = tmp_path / "hosts" / "edge.yaml"
    edge.parent.mkdir()
    edge.write_text("budget: {memory: 6G, cpus: 2}\nservices: {web: {workers: 1}}\n")
    loaded = load("", profiles=("prod", "hosts/edge.yaml"))
    assert (loaded.spec.budget.memory_bytes, loaded.spec.budget.cpus) == (6 * 1024**3, 2)
    assert loaded.spec.services["web"].workers == 1
    assert loaded.spec.settings.restart == "unless-stopped"
    assert loaded.origin("services.web.workers") == "profile"


@pytest.mark.parametrize("order", [("dev", "prod"), ("prod", "dev"), ("dev", "gpu", "prod")])
def test_opposites_are_refused_with_the_key(load: Load, order: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match=r"contradict each other: \S+ is"):
        load("", profiles=order)


def test_a_card_goes_with_either(load: Load) -> None:
    assert load("", profiles=("prod", "gpu")).spec.device == "gpu"
    assert load("", profiles=("dev", "gpu")).spec.settings.reload
