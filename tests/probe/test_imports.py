"""What a probe may import: start-up is mostly imports, so what is slow is loaded only where it is needed."""

from __future__ import annotations

import sys
from pathlib import Path

from mlpack.process import run


def loaded(code: str, tmp_path: Path) -> set[str]:
    """Modules that are loaded after ``code`` in a child."""
    done = run((sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"), cwd=tmp_path, timeout_s=60)
    return set(done.stdout.split())


def test_the_nouns_are_imported_while_the_engine_is_asked(tmp_path: Path) -> None:
    assert not loaded("import mlpack.probe", tmp_path) & {"pydantic", "mlpack.host", "yaml", "ssl", "http.client"}


def test_a_probe_of_linux_loads_no_slow_package(tmp_path: Path) -> None:
    code = "from mlpack.probe import probe; from pathlib import Path; probe(Path())"
    slow = {"psutil", "docker", "requests", "httpx", "http.client", "ssl", "rich", "typer", "jinja2", "concurrent"}
    assert not loaded(code, tmp_path) & slow
