"""Which paths mlpack may write and delete: plain relative ones below the output folder, and nothing else."""

from __future__ import annotations

from pathlib import Path

from mlpack.errors import StaleError
from mlpack.lock import LOCK_NAME

STAGING_PREFIX = ".mlpack-staging-"


def unsafe(path: str) -> str | None:
    """Why ``path`` may not be written or deleted, or None. Locks come from outside (git), so none is trusted."""
    parts = path.split("/")
    if "\\" in path or ":" in parts[0] or any(not char.isprintable() for char in path):
        return "holds a backslash, a drive or a control character"
    if path.startswith("/"):
        return "is absolute"
    if any(part in {"", ".", ".."} for part in parts):
        return "is not a plain path below the output folder"
    if parts[0].startswith(STAGING_PREFIX) or path == LOCK_NAME:
        return "is reserved for mlpack"
    return None


def refuse_links(root: Path, path: str) -> None:
    """Raise StaleError where ``root/path`` is a link or a folder, or lies behind a link or a file.

    A link would be followed out of the output folder, or silently replaced by a file; both would surprise.
    """
    place = root
    parts = path.split("/")
    for index, part in enumerate(parts):
        place = place / part
        where = "/".join(parts[: index + 1])
        last = index == len(parts) - 1
        if place.is_symlink():
            raise StaleError(
                f"is a symbolic link; mlpack writes plain {'files' if last else 'folders'} only",
                where=str(root / where),
                hint="move it away, then render again",
            )
        if place.is_dir() if last else (place.exists() and not place.is_dir()):
            raise StaleError(
                f"is a {'folder' if last else 'file'}, but render needs a {'file' if last else 'folder'} of that name",
                where=str(root / where),
                hint="move it away, then render again",
            )
