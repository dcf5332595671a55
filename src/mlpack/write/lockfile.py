"""Reads mlpack.lock. A lock that cannot be trusted is never repaired silently: exit 2, and what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NoReturn

from pydantic import ValidationError

from mlpack.errors import LockError
from mlpack.lock import LOCK_NAME, Lock
from mlpack.write.paths import unsafe

SCHEMA_VERSION = 1
RESTORE = (
    "restore it from version control; or delete it and render again: files that equal the output are adopted, "
    "others are never overwritten without --force"
)
_HASH = re.compile(r"[0-9a-f]{64}")


def read_lock(folder: Path) -> Lock | None:
    """The lock of the output ``folder``; None where there is none. Raises LockError (exit 2) where it is unusable."""
    path = folder / LOCK_NAME
    try:
        text = path.read_bytes().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise LockError("is not UTF-8 text", where=str(path), hint=RESTORE) from error
    except OSError as error:
        raise LockError(f"cannot be read: {error.strerror}", where=str(path), hint=RESTORE) from error
    return parse_lock(text, where=str(path))


def parse_lock(text: str, *, where: str = LOCK_NAME) -> Lock:
    """The lock that ``text`` holds. Raises LockError naming ``where`` it is damaged and what mends it."""
    if re.search(r"^(<{7}|>{7}|={7})", text, re.MULTILINE):
        _refuse("holds an unresolved merge conflict", where, "take either side whole, then render again")
    try:
        found = json.loads(text)
        version = found.get("schema_version") if isinstance(found, dict) else None
        if type(version) is int and version != SCHEMA_VERSION:
            wrote = found.get("mlpack_version", "unknown")
            mend = (
                "upgrade mlpack"
                if version > SCHEMA_VERSION
                else "use that version of mlpack, or delete the lock and render again"
            )
            _refuse(f"has schema version {version} (mlpack {wrote}); this mlpack reads {SCHEMA_VERSION}", where, mend)
        lock = Lock.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        _refuse(f"is damaged{f' at {at}' if at else ''}: {first['msg']}", where, RESTORE)
    except json.JSONDecodeError as error:
        _refuse(f"is damaged: {error.msg} in line {error.lineno}", where, RESTORE)
    except (ValueError, RecursionError):
        _refuse("is damaged: not a JSON document that a lock could be", where, RESTORE)
    for name, digest in lock.files.items():
        reason = unsafe(name)
        if reason is not None:
            _refuse(f"lists the file {name!r}, which {reason}", where, RESTORE)
        if not _HASH.fullmatch(digest):
            _refuse(f"is damaged: the hash of {name} is not a SHA-256", where, RESTORE)
    return lock


def _refuse(what: str, where: str, hint: str) -> NoReturn:
    raise LockError(what, where=where, hint=hint)
