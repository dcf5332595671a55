"""The only place that opens model files: bounded reads, and every failure as a ModelFileError that says what to do."""

from __future__ import annotations

import errno
import hashlib
import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from mlpack.errors import ModelFileError
from mlpack.model import ModelFile
from mlpack.units import MIB, show_bytes

HEAD_BYTES = 4096
"""Enough for every format's mark and for a Git LFS pointer."""
HEADER_BYTES = 32 * MIB
"""The longest JSON header or index that is read; a trillion parameters in 140,000 tensors take 15 MiB."""
WHOLE_JSON_BYTES = 4 * MIB
MOST_JSON_VALUES = 150_000
"""JSON that is parsed at once (config.json) is this long at most and has so many values: 150,000 of them take 35 MB."""
DIGEST_BYTES = MIB
"""Of formats without a header of their own, this much is hashed, with the size."""
LFS_MARK = b"version https://git-lfs.github.com/spec/"


def failed(path: Path, what: str, hint: str | None = None) -> ModelFileError:
    """The error for ``path``."""
    return ModelFileError(what, where=str(path), hint=hint)


@contextmanager
def system_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says about ``path`` into a ModelFileError."""
    try:
        yield
    except FileNotFoundError as error:
        raise failed(path, "there is no such file or folder", "check the path, or fetch the weights") from error
    except PermissionError as error:
        raise failed(path, "no permission to read it", "make it readable for the user who runs mlpack") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise failed(path, "is a symbolic link that leads back to itself", "point it to the weights") from error
        raise failed(path, f"cannot be read: {error.strerror or error}") from error


def is_there(path: Path) -> bool:
    """Something is at ``path``; a name that no file can have is not there."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def file_size(path: Path) -> int:
    """Bytes of the regular file ``path``; pipes, sockets and devices are refused, as reading them may never end."""
    with system_errors(path):
        status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise failed(path, "is not a regular file")
    if status.st_size == 0:
        raise failed(path, "is empty", "the download may have failed: fetch it again")
    return status.st_size


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """``path`` open for reading, and its size. Refuses Git LFS pointers, which stand where weights should be."""
    size = file_size(path)
    with system_errors(path), path.open("rb") as file:
        if file.read(len(LFS_MARK)) == LFS_MARK:
            raise failed(path, "this is a Git LFS pointer, not the file itself", "run git lfs pull")
        file.seek(0)
        yield file, size


def head_of(path: Path) -> bytes:
    """The first bytes of ``path``, at most ``HEAD_BYTES``."""
    with opened(path) as (file, size):
        return exactly(file, min(size, HEAD_BYTES), path)


def exactly(file: BinaryIO, count: int, path: Path) -> bytes:
    """``count`` bytes from where ``file`` stands. The caller has checked the size: one that ends before has shrunk."""
    with system_errors(path):
        found = file.read(count)
    if len(found) < count:
        what = f"changes while it is read: {count:,} bytes expected, {len(found):,} found"
        raise failed(path, what, "wait until nothing writes to it any more")
    return found


def parsed_json(text: bytes, path: Path, what: str) -> dict[str, Any]:
    """The JSON object in ``text``; duplicate keys, other values and nonsense are refused. ``what`` names it."""
    try:
        found = json.loads(text.decode("utf-8"), object_pairs_hook=unique_pairs, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise failed(path, f"{what} is not valid JSON: {_first_line(error)}", "fetch it again") from error
    if not isinstance(found, dict):
        raise failed(path, f"{what} is not a JSON object")
    return found


def json_file(path: Path) -> tuple[dict[str, Any], ModelFile]:
    """The JSON object in the file ``path``, and the file itself."""
    with opened(path) as (file, size):
        if size > WHOLE_JSON_BYTES:
            raise failed(
                path, f"is {show_bytes(size)}, more than the {show_bytes(WHOLE_JSON_BYTES)} that a description may be"
            )
        text = exactly(file, size, path)
    if text.count(b",") + text.count(b"[") + text.count(b"{") > MOST_JSON_VALUES:
        raise failed(path, f"holds more than {MOST_JSON_VALUES:,} values, which no description of a model needs")
    return parsed_json(text, path, path.name), described(path, size, hashlib.sha256(text).hexdigest())


def described(path: Path, size: int, digest: str) -> ModelFile:
    """``path`` as one file of a model."""
    return ModelFile(path=path.as_posix(), size_bytes=size, header_sha256=digest)


def sized_file(path: Path) -> ModelFile:
    """A file whose header is not read: hash of its first MiB and its size."""
    with opened(path) as (file, size):
        digest = hashlib.sha256(exactly(file, min(size, DIGEST_BYTES), path))
    digest.update(str(size).encode())
    return described(path, size, digest.hexdigest())


def data_file(path: Path) -> ModelFile:
    """A file of weights that another file describes: its size alone tells it apart."""
    with opened(path) as (_, size):
        return described(path, size, hashlib.sha256(str(size).encode()).hexdigest())


def unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A hook for the json module: keys that occur twice are refused."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{next(key for key in keys if keys.count(key) > 1)!r} occurs twice")
    return found


def refuse_constant(name: str) -> Any:
    """A hook for the json module: NaN and infinities are refused."""
    raise ValueError(f"{name} is not a number of JSON")


def _first_line(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]
