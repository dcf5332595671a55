"""Replaces one file of mlpack's own (footprint.json, a report): the old text or the new, never half of one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from mlpack.write import disk


def replace_file(path: Path, text: str) -> None:
    """Make ``path`` hold ``text``, through a new file beside it. Raises MlpackError; the old file is whole then."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with disk.explained(path, "write"):
        try:
            disk.write_file(beside, text, 0o644)
            disk.move(beside, path)
        except BaseException:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise
