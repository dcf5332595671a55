"""The user's project as a folder: where it starts, which files belong to it, and what is in them."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath

from mlpack.errors import MlpackError, SpecError

SPEC_FILE = "mlpack.yaml"
_CHUNK_BYTES = 1024**2


def find_root(start: Path) -> Path:
    """The nearest folder with a mlpack.yaml, from ``start`` upwards. Raises SpecError where there is none."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / SPEC_FILE).is_file():
            return folder
    raise SpecError(
        f"there is no {SPEC_FILE} here or above", where=str(start), hint="run `mlpack init` in your project"
    )


def why_not_inside(relative: str) -> str | None:
    """What keeps ``relative`` from being a path inside the project, by its spelling alone; None if nothing does."""
    path = PurePosixPath(relative)
    if not relative.strip():
        return "is empty"
    if any(ord(character) < 32 or ord(character) == 127 for character in relative):
        return "has a control character"
    if "\\" in relative:
        return "has a backslash; write folders with /"
    if path.is_absolute() or relative.startswith("~"):
        return "is outside the project; paths are relative to mlpack.yaml"
    if ".." in path.parts:
        return "climbs out with `..`; paths are inside the project"
    return None


def resolve(root: Path, relative: str) -> Path:
    """``relative`` below ``root``. Symbolic links are followed by whoever opens it (weights often are links).

    Raises SpecError for paths that are absolute or climb out with ``..``.
    """
    reason = why_not_inside(relative)
    if reason is not None:
        raise SpecError(f"the path {relative!r} {reason}", where=str(root))
    return root / relative


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex. Raises MlpackError where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise _unreadable(path, error) from error
    return digest.hexdigest()


def read_bytes(path: Path) -> bytes:
    """A file's bytes. Raises MlpackError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def read_text(path: Path) -> str:
    """A UTF-8 file's text. Raises MlpackError where it cannot be read or is not UTF-8."""
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise MlpackError("the file is not UTF-8 text", where=str(path), hint="save it as UTF-8") from error


def _unreadable(path: Path, error: OSError) -> MlpackError:
    hints: dict[type[OSError], str] = {
        FileNotFoundError: "is the path right, relative to mlpack.yaml?",
        IsADirectoryError: "it is a folder; name a file in it",
        PermissionError: "allow your user to read it",
    }
    reason = (error.strerror or type(error).__name__).lower()
    return MlpackError(f"cannot read it: {reason}", where=str(path), hint=hints.get(type(error)))
