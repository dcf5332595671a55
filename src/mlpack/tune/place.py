"""A copy of the project in which trials are rendered and run: the user's own folder is never touched.

Weights, which services only read, are hard links where the file system allows it; everything else is copied, as a
service may write into a folder of the project. The folder belongs to this run by the
same mark as verify's own, so that the next run removes it should this one be killed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlpack.launchers.leftovers import OWNER_FILE
from mlpack.launchers.owner import current_owner

LEFT_OUT = (
    ".git",
    ".venv",
    "venv",
    "node_modules",
    "__pycache__",
    ".mypy_cache",
    ".pytest_cache",
    "deploy",
    OWNER_FILE,
)


@contextmanager
def copied(root: Path, weights: Sequence[Path]) -> Iterator[Path]:
    """The copy of the project at ``root`` without what it renders, version control and environments; removed after.

    ``weights``: files and folders of models."""
    owner = current_owner()
    folder = Path(tempfile.mkdtemp(prefix=f"{owner.project}-"))
    (folder / OWNER_FILE).write_text(owner.label, encoding="utf-8")

    def link(source: str, target: str) -> str:
        if any(Path(source).is_relative_to(path) for path in weights):
            return _link(source, target)
        return shutil.copy2(source, target)

    try:
        project = folder / root.resolve().name
        shutil.copytree(root, project, ignore=shutil.ignore_patterns(*LEFT_OUT), copy_function=link, symlinks=True)
        yield project
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _link(source: str, target: str) -> str:
    """A hard link, or a copy where there can be none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
