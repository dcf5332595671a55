"""``mlpack init``: writes mlpack.yaml from what the project's files show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlpack.console import say
from mlpack.errors import ExitCode
from mlpack.init import detect, write_spec


def init_command(project: Path, answers: Mapping[str, str], *, force: bool) -> int:
    """Detect, write, and say what comes next. Raises UsageError that names every option still to give."""
    root = project.resolve()
    path = write_spec(root, detect(root, answers), force=force)
    say(f"wrote {path}")
    say("next: read it, give it a request with a known answer (requests:), then `mlpack plan prod --explain`")
    return ExitCode.OK
