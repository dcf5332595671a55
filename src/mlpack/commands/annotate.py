"""Findings for the pages of a CI system: GitHub reads lines of a step's output, GitLab a file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

from mlpack.console import progress
from mlpack.errors import MlpackError, UsageError
from mlpack.report import VerifyReport
from mlpack.reports.annotations import Annotation, github, gitlab, of_report
from mlpack.write.single import replace_file

Ci = Literal["github", "gitlab"]
NAMES: dict[str, Ci | None] = {"github": "github", "gitlab": "gitlab", "never": None}
GITLAB_FILE = "gl-code-quality-report.json"
SPEC = "mlpack.yaml"
_PLACE = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+)")


def require_ci(name: str, environ: Mapping[str, str] = os.environ) -> Ci | None:
    """Whom to annotate for; ``auto``: GitHub where its runner says so. Raises UsageError."""
    if name == "auto":
        return "github" if environ.get("GITHUB_ACTIONS") == "true" else None
    if name not in NAMES:
        raise UsageError(f"nobody reads annotations for {name!r}", where="--annotate", hint=f"auto, {', '.join(NAMES)}")
    return NAMES[name]


def annotate(ci: Ci | None, found: Sequence[Annotation]) -> None:
    """GitHub: lines on stderr, so that stdout stays the result. GitLab: gl-code-quality-report.json, here."""
    if ci == "github":
        for line in github(found):
            progress(line)
    elif ci == "gitlab":
        replace_file(Path(GITLAB_FILE), gitlab(found))
        progress(f"annotations: {GITLAB_FILE}")


def annotate_report(ci: Ci | None, report: VerifyReport, root: Path) -> None:
    """What a verification found, on the lines of the project's mlpack.yaml."""
    if ci is not None:
        spec = root / SPEC
        text = spec.read_text(encoding="utf-8", errors="replace") if spec.is_file() else ""
        annotate(ci, of_report(report, text, in_repository(spec)))


def annotate_error(error: MlpackError, argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> None:
    """An error that names a line, on that line, for GitHub's runner. ``argv``: files are named from the project."""
    place = _PLACE.match(error.where or "")
    if require_ci("auto", environ) == "github" and place is not None:
        hint = f"\nWhat to do: {error.hint}" if error.hint else ""
        file = in_repository(_project(argv) / place["file"])
        annotate("github", [Annotation("error", "error", f"{error.what}{hint}", file, int(place["line"]))])


def _project(argv: Sequence[str]) -> Path:
    """The folder that error messages are relative to: that of --project or above it, where mlpack.yaml is."""
    words = [word for one in argv for word in one.split("=", 1)]
    given = [after for before, after in pairwise(words) if before in ("--project", "-C")]
    start = Path(given[-1] if given else ".").absolute()
    return next((folder for folder in (start, *start.parents) if (folder / SPEC).is_file()), Path())


def in_repository(path: Path, environ: Mapping[str, str] = os.environ) -> str:
    """``path`` as CI systems name it: from the top of the checkout."""
    top = environ.get("GITHUB_WORKSPACE") or environ.get("CI_PROJECT_DIR") or os.getcwd()  # noqa: PTH109
    return Path(os.path.relpath(path.absolute(), Path(top).absolute())).as_posix()
