"""The file operations of a render, one function each, and what their failures mean to the user. No decisions here."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlpack.errors import LockError, MlpackError, TransientError
from mlpack.lock import LOCK_NAME
from mlpack.write.lockfile import parse_lock
from mlpack.write.paths import STAGING_PREFIX, refuse_links


def read_files(root: Path, paths: Iterable[str]) -> dict[str, str | None]:
    """Path -> text of each file below ``root``, None where missing; undecodable bytes become surrogates.

    Raises StaleError where a link or a folder is in the way, MlpackError where a file cannot be read.
    """
    texts: dict[str, str | None] = {}
    for path in paths:
        with explained(root / path, "read"):
            refuse_links(root, path)
            try:
                texts[path] = (root / path).read_bytes().decode("utf-8", "surrogateescape")
            except FileNotFoundError:
                texts[path] = None
    return texts


def staging_folders(root: Path) -> list[Path]:
    """Staging folders in ``root``: leftovers of killed renders, unless one runs now."""
    return sorted(root.glob(f"{STAGING_PREFIX}*")) if root.is_dir() else []


def interrupted_files(root: Path) -> list[dict[str, str]]:
    """The ``files`` of each lock that a killed render had staged completely: what it may have written."""
    found = []
    for folder in staging_folders(root):
        try:
            found.append(dict(parse_lock((folder / "new" / LOCK_NAME).read_bytes().decode("utf-8")).files))
        except (OSError, UnicodeDecodeError, LockError):
            continue  # killed before everything was staged: nothing had been moved
    return found


def make_staging(root: Path) -> Path:
    """A fresh staging folder inside ``root``: the same file system, so that a move is atomic."""
    return Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=root))


def write_file(path: Path, text: str, mode: int) -> None:
    """Write ``text`` to a new file and flush it to the disk; ``mode`` is exact, as containers run as another user."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(text.encode("utf-8"))
        file.flush()
        os.fsync(file.fileno())
    path.chmod(mode)


def copy_file(source: Path, target: Path) -> None:
    """Copy bytes and permissions."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def move(source: Path, target: Path) -> None:
    """Rename over ``target``, atomically."""
    source.replace(target)


def remove(path: Path) -> None:
    """Delete a file, if it is there."""
    path.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make one folder that other users may enter, whatever the umask."""
    path.mkdir()
    path.chmod(0o755)


def remove_folder(path: Path) -> None:
    """Remove a folder if it is empty and may be removed; an empty folder left over harms nobody."""
    with suppress(OSError):
        path.rmdir()


def remove_tree(path: Path) -> None:
    """Remove a staging folder with all that is in it; what cannot be removed stays for the next render."""
    shutil.rmtree(path, ignore_errors=True)


@contextmanager
def output_folder(root: Path) -> Iterator[None]:
    """Make ``root`` and hold it against other renders; a folder that was made and stayed empty goes away again.

    The hold is a lock on the folder itself (flock): it needs no file, and ends with the process however it dies.
    Raises TransientError where another render holds it.
    """
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _held(root):
            yield
    finally:
        for folder in missing:
            remove_folder(folder)


@contextmanager
def _held(root: Path) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # Windows has no flock, and needs none: a file in use cannot be renamed over
        yield
        return
    handle = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TransientError(
                "another mlpack is writing here", where=str(root), hint="wait for it to end, then try again"
            ) from error
        except OSError:
            pass  # some network file systems have no locks
        yield
    finally:
        os.close(handle)


@contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Turn an OSError into an MlpackError that says what could not be done, where, and what mends it."""
    try:
        yield
    except OSError as error:
        hints = {
            errno.ENOSPC: "free some space, then try again",
            errno.EDQUOT: "free some of your quota, then try again",
            errno.EACCES: "run as the user who owns the folder, or give yourself access",
            errno.EPERM: "run as the user who owns the folder, or give yourself access",
            errno.EROFS: "the file system is read-only: choose another output folder",
            errno.EXDEV: "the folder holds a mount of another file system: unmount it or choose another output folder",
            errno.ENOTDIR: "a file is where a folder should be: move it away",
        }
        named = str(error.filename or path)
        raise MlpackError(
            f"could not {doing} it: {error.strerror or error}",
            where=str(path) if STAGING_PREFIX in named else named,
            hint=hints.get(error.errno or 0),
        ) from error
