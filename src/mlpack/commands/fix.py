"""``mlpack verify --fix``: shows what a report proposes to change in mlpack.yaml, and changes it; a backup stays."""

from __future__ import annotations

from pathlib import Path

from mlpack.console import progress, say
from mlpack.errors import UsageError
from mlpack.project import SPEC_FILE
from mlpack.report import Patch
from mlpack.verify.fix import diff, fixed
from mlpack.write import replace_file

BACKUP = f"{SPEC_FILE}.before-fix"


def apply(root: Path, patches: tuple[Patch, ...], profiles: tuple[str, ...]) -> bool:
    """Change mlpack.yaml of the project ``root``; whether anything was. Raises MlpackError: it stays as it was."""
    file = root / SPEC_FILE
    try:
        before = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{SPEC_FILE} cannot be read: {error.strerror}", where=str(file)) from error
    made = fixed(before, patches, profiles, SPEC_FILE)
    for patch, why in made.refused:
        progress(f"not changed: {patch.path} to {patch.after}: {why}")
    if not made.applied:
        progress("nothing in mlpack.yaml to change: the hints say what to do")
        return False
    for patch in made.applied:
        progress(f"{patch.path}: {patch.reason}")
    say(diff(before, made.text, SPEC_FILE).rstrip())
    replace_file(root / BACKUP, before)
    replace_file(file, made.text)
    progress(f"{SPEC_FILE} changed; as it was: {BACKUP}. Now: mlpack render {' '.join(profiles)}, and verify again")
    return True
