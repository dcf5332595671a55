"""Locks that cannot be used: exit 2, the place, and what mends it; never a traceback, never a guess."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mlpack.errors import LockError
from mlpack.lock import LOCK_NAME, Lock
from mlpack.write import read_lock

MakeLock = Callable[..., Lock]


def test_no_lock_is_none(tmp_path: Path) -> None:
    assert read_lock(tmp_path) is None
    assert read_lock(tmp_path / "absent") is None


def test_a_lock_is_read_back_whatever_the_line_ends(tmp_path: Path, make_lock: MakeLock) -> None:
    lock = make_lock(inputs={"mlpack.yaml": "0" * 64})
    (tmp_path / LOCK_NAME).write_bytes(lock.to_json().replace("\n", "\r\n").encode())
    assert read_lock(tmp_path) == lock


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "line 1"),
        (b"{", "line 1"),
        (b"null", "damaged"),
        (b"[]", "damaged"),
        (b"{}", "damaged at mlpack_version"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 100_000, "damaged"),
        (b'{"schema_version": ' + b"9" * 5000 + b"}", "damaged"),
        (b'{\n<<<<<<< ours\n"a": 1\n=======\n>>>>>>> theirs\n}', "merge conflict"),
        (b'{"schema_version": 2, "mlpack_version": "9.1"}', r"schema version 2 \(mlpack 9.1\)"),
        (b'{"schema_version": "1"}', "damaged at schema_version"),
    ],
)
def test_a_damaged_lock_says_where_and_what_to_do(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / LOCK_NAME).write_bytes(content)
    with pytest.raises(LockError, match=says) as caught:
        read_lock(tmp_path)
    assert caught.value.exit_code == 2
    assert caught.value.where == str(tmp_path / LOCK_NAME)
    assert caught.value.hint


def test_a_folder_named_like_the_lock(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).mkdir()
    with pytest.raises(LockError, match="cannot be read"):
        read_lock(tmp_path)


def test_unknown_keys_and_bad_hashes_are_damage(tmp_path: Path, make_lock: MakeLock) -> None:
    data = json.loads(make_lock().to_json())
    (tmp_path / LOCK_NAME).write_text(json.dumps({**data, "extra": 1}))
    with pytest.raises(LockError, match="at extra"):
        read_lock(tmp_path)
    (tmp_path / LOCK_NAME).write_text(json.dumps({**data, "files": {"a": "xyz"}}))
    with pytest.raises(LockError, match="not a SHA-256"):
        read_lock(tmp_path)
