"""The files of a project that can tell what it is: its own code and weights, not its environment or what was built."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

SKIPPED = frozenset(
    ["venv", "env", "node_modules", "site-packages", "__pycache__", "deploy", "build", "dist", "test", "tests"]
)
"""Folders that hold no part of what runs; hidden ones are skipped too."""
MAX_FILES = 20_000
"""A project with more files than this is a data set; what is beyond is not looked at."""


def project_files(root: Path) -> tuple[PurePosixPath, ...]:
    """Relative paths below ``root``, folder by folder in name order. Linked folders are not followed."""
    found: list[PurePosixPath] = []
    for folder, below, names in os.walk(root):
        here = Path(folder)
        below[:] = sorted(name for name in below if name not in SKIPPED and not name.startswith("."))
        found.extend(PurePosixPath((here / name).relative_to(root).as_posix()) for name in sorted(names))
        if len(found) > MAX_FILES:
            break
    return tuple(found[:MAX_FILES])
