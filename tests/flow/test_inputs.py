"""A measurement goes stale with what memory depends on, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.commands.conftest import SPEC, write_safetensors

from mlpack.flow import footprint_inputs, gather
from mlpack.flow.gather import Gathered


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small project whose request is a file."""
    (tmp_path / "weights" / "net").mkdir(parents=True)
    (tmp_path / "weights" / "net" / "config.json").write_text('{"model_type": "bert", "architectures": ["BertModel"]}')
    write_safetensors(tmp_path / "weights" / "net" / "model.safetensors", 100)
    (tmp_path / "mlpack.yaml").write_text(SPEC.replace("json: {text: hello}", "json: {file: ask.json}"))
    (tmp_path / "requirements.txt").write_text("torch==2.13.0\ntransformers==5.23.0\n")
    (tmp_path / "app.py").write_text("app = None\n")
    (tmp_path / "ask.json").write_text("{}")
    return tmp_path


def digest(root: Path) -> str:
    """The hash of service web's inputs now."""
    gathered: Gathered = gather(root)
    return footprint_inputs(gathered, "web", {name: info for name, info in gathered.present.items() if info})


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    """A change of one file's text."""

    def change(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    "change",
    [
        edit("requirements.txt", "2.13.0", "2.14.0"),
        edit("app.py", "None", "1"),
        edit("ask.json", "{}", '{"text": "longer"}'),
        edit("mlpack.yaml", "/ask", "/other"),
        edit("mlpack.yaml", "endpoint: def", "endpoint: async"),
        edit("mlpack.yaml", "env: {", "env: {DTYPE: half, "),
        edit("mlpack.yaml", "models: [net]", 'models: [net]\n    measure: {call: "app:ask"}'),
        edit("mlpack.yaml", 'python: "3.11"', 'python: "3.12"'),
        lambda root: write_safetensors(root / "weights" / "net" / "model.safetensors", 200),
    ],
)
def test_what_memory_depends_on_makes_it_stale(root: Path, change: Callable[[Path], None]) -> None:
    before = digest(root)
    change(root)
    assert digest(root) != before


@pytest.mark.parametrize(
    "change",
    [
        edit("mlpack.yaml", "port: 8000", "port: 8001"),
        edit("mlpack.yaml", "health: /health", "health: /ready"),
        edit("mlpack.yaml", "models: [net]", "models: [net]\n    workers: 1"),
        edit("requirements.txt", "torch", "# a comment\ntorch"),
        edit("mlpack.yaml", "expect: {json: {ok: true}}", "expect: {json: {ok: false}}"),
        edit("mlpack.yaml", "tokens: 128", "tokens: 64"),  # what is measured is the request that is sent
    ],
)
def test_nothing_else_does(root: Path, change: Callable[[Path], None]) -> None:
    before = digest(root)
    change(root)
    assert digest(root) == before


def test_the_request_that_is_measured_counts_even_where_none_is_marked_largest(root: Path) -> None:
    edit("mlpack.yaml", "largest: true, ", "")(root)
    before = digest(root)
    edit("mlpack.yaml", "/ask", "/other")(root)
    assert digest(root) != before


def test_a_call_counts_with_its_module_its_arguments_and_the_files_they_name(root: Path) -> None:
    edit("mlpack.yaml", "models: [net]", 'models: [net]\n    measure: {call: "tasks:run", args: [{file: ask.json}]}')(
        root
    )
    (root / "tasks.py").write_text("def run(what): pass\n")
    seen = [digest(root)]
    edit("tasks.py", "pass", "return 1")(root)
    seen.append(digest(root))
    edit("ask.json", "{}", "[]")(root)
    seen.append(digest(root))
    edit("mlpack.yaml", "args: [{file", "args: [1, {file")(root)
    seen.append(digest(root))
    assert len(set(seen)) == 4
    edit("mlpack.yaml", "/ask", "/other")(root)  # HTTP is not what was measured
    assert digest(root) == seen[-1]
