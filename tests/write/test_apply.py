"""Writing is all or nothing: failures, Ctrl-C and kills at any moment, links, and two renders at once."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from mlpack.artifact import Artifact
from mlpack.errors import LockError, MlpackError, StaleError, TransientError
from mlpack.lock import LOCK_NAME, Lock
from mlpack.write import disk, read_lock, write
from mlpack.write.paths import STAGING_PREFIX

MakeLock = Callable[..., Lock]
OLD = [
    Artifact(path="a.txt", text="old\n"),
    Artifact(path="sub/b.sh", text="b\n"),
    Artifact(path="x/y.txt", text="y\n"),
]
NEW = [
    Artifact(path="a.txt", text="new\n"),
    Artifact(path="sub/b.sh", text="b2\n", mode=0o755),
    Artifact(path="n/e/w.txt", text="w\n"),
]


def snapshot(root: Path) -> dict[str, bytes | None]:
    """Every path below ``root``: bytes of files, None for folders."""
    return {str(p.relative_to(root)): p.read_bytes() if p.is_file() else None for p in root.rglob("*")}


def test_files_modes_and_folders_are_as_rendered(tmp_path: Path, make_lock: MakeLock) -> None:
    out = tmp_path / "deploy" / "prod"
    before = os.umask(0o077)
    try:
        write(out, None, make_lock(OLD), OLD)
        write(out, read_lock(out), make_lock(NEW), NEW)
    finally:
        os.umask(before)
    assert snapshot(out) == {
        "a.txt": b"new\n",
        "sub": None,
        "sub/b.sh": b"b2\n",
        "n": None,
        "n/e": None,
        "n/e/w.txt": b"w\n",
        LOCK_NAME: make_lock(NEW).to_json().encode(),
    }
    # containers read these as another user, whatever the umask was
    assert (out / "sub" / "b.sh").stat().st_mode & 0o777 == 0o755
    assert (out / "a.txt").stat().st_mode & 0o777 == 0o644
    assert (out / "n" / "e").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("name", ["make_staging", "copy_file", "write_file", "make_folder", "move", "remove"])
@pytest.mark.parametrize(
    "failure",
    [OSError(errno.ENOSPC, "No space left on device"), PermissionError(errno.EACCES, "Permission denied")],
    ids=["disk-full", "no-permission"],
)
def test_a_failure_at_any_operation_changes_nothing(
    tmp_path: Path, make_lock: MakeLock, name: str, failure: OSError
) -> None:
    write(tmp_path, None, make_lock(OLD), OLD)
    before = snapshot(tmp_path)
    real = getattr(disk, name)
    failed = 0
    for moment in range(10):
        calls = 0

        def step(*args: Any, moment: int = moment) -> Any:
            nonlocal calls
            calls += 1
            if calls == moment + 1:  # once: putting back uses the same functions
                raise failure
            return real(*args)

        with mock.patch.object(disk, name, step):
            try:
                write(tmp_path, read_lock(tmp_path), make_lock(NEW), NEW)
            except MlpackError as error:
                assert error.exit_code == 1
                assert str(failure.strerror) in error.what
                assert error.hint
                assert snapshot(tmp_path) == before
                failed += 1
            else:
                break
    assert failed >= 1


@pytest.mark.parametrize("name", ["make_staging", "copy_file", "write_file", "make_folder", "move", "remove"])
def test_ctrl_c_leaves_the_old_files_and_nothing_else(tmp_path: Path, make_lock: MakeLock, name: str) -> None:
    write(tmp_path, None, make_lock(OLD), OLD)
    before = snapshot(tmp_path)
    real = getattr(disk, name)
    calls = 0

    def step(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if name == "make_staging":
            raise KeyboardInterrupt
        result = real(*args)
        if calls == 1:
            raise KeyboardInterrupt  # right after it happened
        return result

    with mock.patch.object(disk, name, step), pytest.raises(KeyboardInterrupt):
        write(tmp_path, read_lock(tmp_path), make_lock(NEW), NEW)
    assert snapshot(tmp_path) == before


def test_a_failed_first_render_leaves_no_folder(tmp_path: Path, make_lock: MakeLock) -> None:
    full = mock.patch.object(os, "fsync", side_effect=OSError(errno.ENOSPC, "No space left on device"))
    with full, pytest.raises(MlpackError, match="No space left"):
        write(tmp_path / "deploy" / "prod", None, make_lock(NEW), NEW)
    assert snapshot(tmp_path) == {}


def test_putting_back_that_fails_is_said_and_mended_by_the_next_render(tmp_path: Path, make_lock: MakeLock) -> None:
    write(tmp_path, None, make_lock(OLD), OLD)
    moves = 0

    def move(source: Path, target: Path) -> None:
        nonlocal moves
        moves += 1
        if moves > 1:
            raise OSError(errno.EIO, "Input/output error")
        source.replace(target)

    with mock.patch.object(disk, "move", move), pytest.raises(MlpackError, match="could not be put back") as caught:
        write(tmp_path, read_lock(tmp_path), make_lock(NEW), NEW)
    assert "render again" in str(caught.value)
    third = [Artifact(path="a.txt", text="third\n")]
    write(tmp_path, read_lock(tmp_path), make_lock(third), third)
    assert snapshot(tmp_path) == {"a.txt": b"third\n", LOCK_NAME: make_lock(third).to_json().encode()}


KILLED = """
import os, signal, sys
from pathlib import Path
from mlpack.artifact import Artifact
from mlpack.lock import Lock
from mlpack.write import disk, write
real, calls = disk.move, 0
def move(source, target):
    global calls
    calls += 1
    if calls == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    real(source, target)
disk.move = move
root = Path(sys.argv[1])
read = lambda name: Lock.model_validate_json((root.parent / name).read_text())
artifacts = [Artifact(path="a.txt", text="new\\n"), Artifact(path="sub/b.sh", text="b2\\n")]
write(root, read("old.json"), read("new.json"), artifacts)
"""


def test_a_real_kill_half_way_is_mended_and_cleaned_up(tmp_path: Path, make_lock: MakeLock) -> None:
    out, half = tmp_path / "out", [Artifact(path="a.txt", text="new\n"), Artifact(path="sub/b.sh", text="b2\n")]
    write(out, None, make_lock(OLD), OLD)
    (tmp_path / "old.json").write_text(make_lock(OLD).to_json())
    (tmp_path / "new.json").write_text(make_lock(half).to_json())
    done = subprocess.run([sys.executable, "-c", KILLED, str(out)], check=False, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    assert (out / "a.txt").read_text() == "new\n"
    assert (out / "sub" / "b.sh").read_text() == "b\n"
    assert len(list(out.glob(f"{STAGING_PREFIX}*"))) == 1
    other = [Artifact(path="a.txt", text="another input\n")]
    write(out, read_lock(out), make_lock(other), other)
    assert set(snapshot(out)) == {"a.txt", LOCK_NAME}


def test_two_renders_at_once_are_refused(tmp_path: Path, make_lock: MakeLock) -> None:
    with disk.output_folder(tmp_path), pytest.raises(TransientError, match="another mlpack") as caught:
        write(tmp_path, None, make_lock(NEW), NEW)
    assert caught.value.exit_code == 75
    write(tmp_path, None, make_lock(NEW), NEW)


@pytest.mark.parametrize("path", ["a.txt", "sub"])
def test_links_are_never_followed(tmp_path: Path, make_lock: MakeLock, path: str) -> None:
    outside = tmp_path / "outside"
    (outside / "sub").mkdir(parents=True)
    (outside / "a.txt").write_text("precious\n")
    (outside / "sub" / "b.sh").write_text("b\n")
    out = tmp_path / "out"
    out.mkdir()
    (out / path).symlink_to(outside / path)
    before = snapshot(outside)
    with pytest.raises(StaleError, match="symbolic link"):
        write(out, make_lock(OLD), make_lock(NEW), NEW, force=True)
    assert snapshot(outside) == before
    assert not disk.staging_folders(out)


def test_a_folder_in_the_place_of_a_file_is_refused_and_kept(tmp_path: Path, make_lock: MakeLock) -> None:
    (tmp_path / "a.txt").mkdir()
    (tmp_path / "a.txt" / "mine").write_text("x")
    with pytest.raises(StaleError, match="is a folder"):
        write(tmp_path, None, make_lock(NEW), NEW, force=True)
    assert (tmp_path / "a.txt" / "mine").read_text() == "x"


def test_a_file_in_the_place_of_a_folder_is_refused_and_kept(tmp_path: Path, make_lock: MakeLock) -> None:
    (tmp_path / "sub").write_text("x")
    with pytest.raises(StaleError, match="needs a folder"):
        write(tmp_path, None, make_lock(NEW), NEW, force=True)
    assert (tmp_path / "sub").read_text() == "x"


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "a/../../b",
        "a//b",
        "./a",
        "",
        "C:/x",
        "a\\b",
        "a\x00b",
        "a\nb",
        LOCK_NAME,
        f"{STAGING_PREFIX}x/new",
    ],
)
def test_hostile_paths_of_a_lock_are_refused(tmp_path: Path, make_lock: MakeLock, path: str) -> None:
    lock = make_lock().model_copy(update={"files": {path: "0" * 64}})
    (tmp_path / LOCK_NAME).write_text(lock.to_json())
    with pytest.raises(LockError) as caught:
        read_lock(tmp_path)
    assert caught.value.exit_code == 2
    with pytest.raises(MlpackError, match="cannot be rendered"):
        write(tmp_path, None, make_lock(), [Artifact(path=path, text="x")])


def test_bytes_that_are_no_text_are_an_edit_with_a_readable_diff(tmp_path: Path, make_lock: MakeLock) -> None:
    write(tmp_path, None, make_lock(OLD), OLD)
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x1b[31m\n")
    with pytest.raises(StaleError) as caught:
        write(tmp_path, read_lock(tmp_path), make_lock(NEW), NEW)
    assert r"-\udcff\udcfe\x1b[31m" in caught.value.what
    assert "\x1b" not in str(caught.value)


def test_a_long_diff_is_cut_with_its_length(tmp_path: Path, make_lock: MakeLock) -> None:
    (tmp_path / "a.txt").write_text("".join(f"line {n}\n" for n in range(500)))
    with pytest.raises(StaleError, match=r"\.\.\. 424 more lines; --diff shows all"):
        write(tmp_path, None, make_lock(OLD), OLD)
