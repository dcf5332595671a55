"""tune for real, with local processes: trials run, are kept, and are not run again; the project stays as it was."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

from mlpack.commands.fix import BACKUP
from mlpack.commands.tune import tune_command
from mlpack.errors import UsageError
from mlpack.flow import gather, output_folder, produce
from mlpack.lock import World
from mlpack.probe import probe
from mlpack.tune.place import copied
from mlpack.tune.trial import STATE_NAME, State
from mlpack.tune.wanted import Wanted
from mlpack.write import write

pytestmark = pytest.mark.slow

SPEC = """\
name: hand   # by hand
build: {python: "3.11", requirements: requirements.txt}
services:
  web: {server: gunicorn, app: "app:app", interface: wsgi, port: 8000, health: /health, workers: 2, threads: 1}
requests:
  double: {largest: true, to: web, post: /predict, json: {x: 21}, expect: {json: {y: 42}}}
verify: {requests: 20}
"""


@pytest.fixture
def rendered(fake_project: Path) -> Path:
    """The stand-in as a project that was rendered for this machine."""
    (fake_project / "mlpack.yaml").write_text(SPEC)
    (fake_project / "app.py").write_text("app = None\n")
    (fake_project / "requirements.txt").write_text("gunicorn\n")
    gathered = gather(fake_project, ("prod",))
    made = produce(gathered, World(host=probe(fake_project), models={}))
    write(output_folder(fake_project, ("prod",)), None, made.lock, made.artifacts)
    return fake_project


def files(root: Path) -> dict[str, bytes]:
    """Everything in the project but what tune keeps."""
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file() and p.name != STATE_NAME}


def test_a_limit_is_searched_kept_and_not_searched_again(rendered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, here = files(rendered), Path(sys.executable)
    wanted = Wanted(("limit",), None, 90)
    assert tune_command(rendered, ("prod",), wanted, "process", here, fix=False) == 0
    state = State.model_validate_json((rendered / "deploy" / "prod" / STATE_NAME).read_text())
    assert len(state.trials) >= 1
    assert files(rendered) == before, "the project was touched"
    first = capsys.readouterr()
    assert "limit:" in first.out
    assert tune_command(rendered, ("prod",), wanted, "process", here, fix=True) == 0
    again = capsys.readouterr()
    assert "trying" not in again.err, "a trial was run again"
    assert again.out.startswith(first.out.partition("proposed")[0])
    if "proposed" in first.out:
        assert (rendered / BACKUP).read_text() == SPEC
        assert "memory:" in (rendered / "mlpack.yaml").read_text()
        assert "# by hand" in (rendered / "mlpack.yaml").read_text()
    left = [folder for folder in Path(tempfile.gettempdir()).glob("mlpack-verify-*") if (folder / "project").exists()]
    assert left == []


def test_no_time_no_trial(rendered: Path) -> None:
    wanted = Wanted(("limit", "workers"), "web", 1e-9)
    assert tune_command(rendered, ("prod",), wanted, "process", Path(sys.executable), fix=False) == 1
    assert not (rendered / "deploy" / "prod" / STATE_NAME).exists()


@pytest.mark.parametrize(
    "wanted", [Wanted(("speed",), None, 60), Wanted(("limit",), None, 0), Wanted(("limit",), "db", 9)]
)
def test_what_cannot_be_searched_is_refused(wanted: Wanted, rendered: Path) -> None:
    with pytest.raises(UsageError):
        tune_command(rendered, ("prod",), wanted, "process", Path(sys.executable), fix=False)


def test_weights_are_linked_and_everything_else_is_a_copy_of_its_own(tmp_path: Path) -> None:
    root = tmp_path / "shop"
    for name in ("weights/m.bin", "data/rows.db", "deploy/prod/compose.yaml", ".venv/lib"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("as it was")
    with copied(root, [root / "weights" / "m.bin"]) as place:
        assert (place / "weights/m.bin").samefile(root / "weights/m.bin")
        (place / "data/rows.db").write_text("changed")
        assert not (place / "deploy").exists()
        assert not (place / ".venv").exists()
    assert (root / "data/rows.db").read_text() == "as it was"
    assert not place.exists()
