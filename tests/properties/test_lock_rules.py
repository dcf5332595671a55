"""The rules of rendered files: every row of the state table, and random histories of renders, edits and crashes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpack.artifact import Artifact
from mlpack.errors import LockError, MlpackError, StaleError
from mlpack.host import HostFacts
from mlpack.lock import LOCK_NAME, Lock
from mlpack.write import (
    Changes,
    CheckOutcome,
    check,
    disk,
    input_hashes,
    no_lock,
    preview,
    read_lock,
    world_for_render,
    write,
)
from mlpack.write.paths import STAGING_PREFIX

pytestmark = pytest.mark.slow

MakeHost = Callable[..., HostFacts]
MakeLock = Callable[..., Lock]
GIB = 1024**3
COMMAND = "mlpack render prod"
PATHS = ("compose.yaml", "conf/gunicorn.py", "conf/proxy/Caddyfile", "deploy.sh", "notes.txt")
EXAMPLES = int(os.environ.get("MLPACK_LOCK_EXAMPLES", "300"))


class Killed(BaseException):
    """The process is gone: from here on nothing reaches the disk, clean-up included."""


DISK_CHANGES = (
    "make_staging",
    "write_file",
    "copy_file",
    "move",
    "remove",
    "make_folder",
    "remove_folder",
    "remove_tree",
)


@contextmanager
def killed_after(operations: int, counted: tuple[str, ...] = DISK_CHANGES) -> Iterator[None]:
    """Let the first ``operations`` of the ``counted`` changes of the disk happen, then no change at all."""
    left = operations

    def wrap(name: str) -> Callable[..., Any]:
        real = getattr(disk, name)

        def step(*args: Any) -> Any:
            nonlocal left
            if left <= 0 and (name in counted or left < 0):
                left = -1
                raise Killed
            left -= name in counted
            return real(*args)

        return step

    steps: Any = {name: wrap(name) for name in DISK_CHANGES}
    with mock.patch.multiple(disk, **steps):
        yield


class Deployment:
    """A project with one input, on a machine that may be swapped; renders as the command line does."""

    def __init__(self, project: Path, make_host: MakeHost, make_lock: MakeLock) -> None:
        self.project = project
        self.out = project / "deploy" / "prod"
        self.make_host = make_host
        self.make_lock = make_lock
        self.memory_bytes = 8 * GIB
        self.set_input(1)

    def set_input(self, value: int) -> None:
        (self.project / "mlpack.yaml").write_text(f"{value}\n")

    def machine(self) -> HostFacts:
        return self.make_host(self.memory_bytes)

    def _planned(self, old: Lock | None, **world: Any) -> tuple[Lock, list[Artifact]]:
        chosen, _ = world_for_render(old, {}, {}, **world)
        value = int((self.project / "mlpack.yaml").read_text())
        artifacts = [
            Artifact(path="compose.yaml", text=f"value: {value // 2}\nmemory: {chosen.host.memory_bytes}\n"),
            Artifact(path="deploy.sh", text="#!/bin/sh\nexec docker compose up\n", mode=0o755),
        ]
        if value % 2:
            artifacts.append(Artifact(path="conf/gunicorn.py", text=f"workers = {value}\n"))
        if value >= 2:
            artifacts.append(Artifact(path="conf/proxy/Caddyfile", text="reverse_proxy web:8000\n"))
        inputs = input_hashes(self.project, ["mlpack.yaml", "footprint.json"])
        return self.make_lock(artifacts, inputs=inputs, host=chosen.host), artifacts

    def render(self, *, force: bool = False, reprobe: bool = False, host: HostFacts | None = None) -> Changes:
        old = read_lock(self.out)
        new, artifacts = self._planned(old, probed=self.machine, reprobe=reprobe, host=host)
        return write(self.out, old, new, artifacts, force=force)

    def check(self) -> CheckOutcome:
        old = read_lock(self.out)
        if old is None:
            return no_lock(str(self.out / LOCK_NAME), COMMAND)
        new, artifacts = self._planned(old, probed=None)
        changes, texts = preview(self.out, old, new, artifacts)
        return check(old, new, artifacts, changes, texts, command=COMMAND)

    def exit_code(self, verb: Callable[[], Any]) -> int:
        try:
            result = verb()
        except MlpackError as error:
            return int(error.exit_code)
        return result.code if isinstance(result, CheckOutcome) else 0

    def files(self, *, with_lock: bool = True) -> dict[str, bytes]:
        """Every file but staged ones."""
        found = {
            path.relative_to(self.out).as_posix(): path.read_bytes() for path in self.out.rglob("*") if path.is_file()
        }
        keep = {name: data for name, data in found.items() if not name.startswith(STAGING_PREFIX)}
        return keep if with_lock else {name: data for name, data in keep.items() if name != LOCK_NAME}

    def stamps(self) -> dict[str, tuple[int, int]]:
        """What changes when a file is written, even with the same bytes."""
        return {name: (stat.st_ino, stat.st_mtime_ns) for name in self.files() if (stat := (self.out / name).stat())}

    def put(self, path: str, content: bytes) -> None:
        (self.out / path).parent.mkdir(parents=True, exist_ok=True)
        (self.out / path).write_bytes(content)


@pytest.fixture
def deployment(tmp_path: Path, make_host: MakeHost, make_lock: MakeLock) -> Deployment:
    return Deployment(tmp_path, make_host, make_lock)


def nothing(_: Deployment) -> None:
    """The lock is gone, and all files with it."""


def rendered(d: Deployment) -> None:
    d.render()


def files_without_lock(d: Deployment) -> None:
    d.render()
    (d.out / LOCK_NAME).unlink()


def other_content(d: Deployment) -> None:
    d.put("compose.yaml", b"services: {}\n")


def inputs_changed(d: Deployment) -> None:
    d.render()
    d.set_input(4)


def edited(d: Deployment) -> None:
    d.render()
    d.put("compose.yaml", b"mine\n")


def edited_and_changed(d: Deployment) -> None:
    edited(d)
    d.set_input(4)


def edited_orphan(d: Deployment) -> None:
    d.render()
    d.put("conf/gunicorn.py", b"mine\n")
    d.set_input(4)


def missing(d: Deployment) -> None:
    d.render()
    (d.out / "compose.yaml").unlink()


def half_written(d: Deployment) -> None:
    d.render()
    d.set_input(3)
    with pytest.raises(Killed), killed_after(1, ("move",)):  # one of three files
        d.render()


def half_written_and_changed(d: Deployment) -> None:
    half_written(d)
    d.set_input(5)


def half_written_and_edited(d: Deployment) -> None:
    half_written(d)
    d.put("compose.yaml", b"mine\n")


def other_machine(d: Deployment) -> None:
    d.render()
    d.memory_bytes = 64 * GIB


def damaged(d: Deployment) -> None:
    d.render()
    d.put(LOCK_NAME, b'{"schema_version": 1, "mlpack_ver')


class Row(NamedTuple):
    """One row of the state table: exit codes, and what render writes, deletes and adopts (None: it does nothing)."""

    prepare: Callable[[Deployment], None]
    render: int
    check: int
    reprobe: int
    done: dict[str, set[str]] | None


ALL = {"compose.yaml", "conf/gunicorn.py", "deploy.sh"}
NEXT = {"compose.yaml", "conf/gunicorn.py", "conf/proxy/Caddyfile"}
TABLE = (
    Row(nothing, 0, 2, 0, {"write": ALL}),
    Row(files_without_lock, 0, 2, 1, {"adopt": ALL}),  # --reprobe: other bytes, and no lock to say they are ours
    Row(other_content, 1, 2, 1, None),
    Row(rendered, 0, 0, 0, {}),
    Row(inputs_changed, 0, 1, 0, {"write": {"compose.yaml", "conf/proxy/Caddyfile"}, "delete": {"conf/gunicorn.py"}}),
    Row(edited, 1, 1, 1, None),
    Row(edited_and_changed, 1, 1, 1, None),
    Row(edited_orphan, 1, 1, 1, None),
    Row(missing, 0, 1, 0, {"write": {"compose.yaml"}}),
    Row(half_written, 0, 1, 0, {"adopt": {"compose.yaml"}, "write": NEXT - {"compose.yaml"}}),
    Row(half_written_and_changed, 0, 1, 0, {"write": NEXT}),  # the staged lock says what the killed render wrote
    Row(half_written_and_edited, 1, 1, 1, None),
    Row(other_machine, 0, 0, 0, {}),
    Row(damaged, 2, 2, 2, None),
)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.prepare.__name__)
class TestStateTable:
    def test_render(self, deployment: Deployment, row: Row) -> None:
        row.prepare(deployment)
        before, stamps = deployment.files(), deployment.stamps()
        if row.done is None:
            assert deployment.exit_code(deployment.render) == row.render != 0
            assert deployment.files() == before
            return
        changes = deployment.render()
        for group in ("write", "delete", "adopt"):
            assert set(getattr(changes, group)) == row.done.get(group, set()), group
        if not row.done:
            assert changes.nothing
            assert deployment.stamps() == stamps
        assert deployment.check().code == 0
        assert not disk.staging_folders(deployment.out)

    def test_check(self, deployment: Deployment, row: Row) -> None:
        row.prepare(deployment)
        stamps = deployment.stamps()
        assert deployment.exit_code(deployment.check) == row.check
        assert deployment.stamps() == stamps
        if row.check == 1:
            outcome = deployment.check()
            assert outcome.reasons
            assert outcome.mend

    def test_reprobe(self, deployment: Deployment, row: Row) -> None:
        row.prepare(deployment)
        deployment.memory_bytes = 64 * GIB
        before = deployment.files()
        assert deployment.exit_code(lambda: deployment.render(reprobe=True)) == row.reprobe
        if row.reprobe:
            assert deployment.files() == before
            return
        lock = read_lock(deployment.out)
        assert lock is not None
        assert lock.world.host.memory_bytes == 64 * GIB
        assert str(64 * GIB) in (deployment.out / "compose.yaml").read_text()


def test_a_given_host_counts_in_place_of_this_machine(deployment: Deployment, make_host: MakeHost) -> None:
    deployment.render()
    assert deployment.render(host=make_host(32 * GIB)).write == ("compose.yaml",)
    assert deployment.check().code == 0
    assert deployment.render().nothing


def test_check_names_the_input(deployment: Deployment) -> None:
    inputs_changed(deployment)
    (deployment.project / "footprint.json").write_text("{}")
    outcome = deployment.check()
    assert outcome.reasons[:2] == ("input footprint.json is new", "input mlpack.yaml changed")
    assert outcome.mend == COMMAND
    assert "-value: 0\n+value: 2\n" in outcome.diff


def test_a_changed_input_with_the_same_output_still_changes_the_lock(deployment: Deployment) -> None:
    deployment.render()
    (deployment.project / "footprint.json").write_text("{}")
    assert deployment.check().reasons == ("input footprint.json is new",)
    changes = deployment.render()
    assert (changes.write, changes.lock) == ((), True)
    assert deployment.check().code == 0


def test_force_takes_edits_but_never_other_files(deployment: Deployment) -> None:
    edited_orphan(deployment)
    deployment.put("deploy.sh", b"mine too\n")
    deployment.put("compose.override.yaml", b"services: {}\n")
    changes = deployment.render(force=True)
    assert set(changes.write) == {"compose.yaml", "conf/proxy/Caddyfile", "deploy.sh"}
    assert changes.delete == ("conf/gunicorn.py",)
    assert deployment.files()["compose.override.yaml"] == b"services: {}\n"
    assert deployment.check().code == 0


@pytest.mark.parametrize("then", [4, 3, 0], ids=["same-input", "changed-input", "first-input"])
def test_a_kill_at_any_moment_is_mended_by_the_next_render(
    tmp_path: Path, make_host: MakeHost, make_lock: MakeLock, then: int
) -> None:
    fresh = Deployment(tmp_path, make_host, make_lock)
    fresh.set_input(then)
    fresh.render()
    for moment in range(40):
        (tmp_path / str(moment)).mkdir()
        deployment = Deployment(tmp_path / str(moment), make_host, make_lock)
        deployment.render()
        deployment.set_input(4)
        try:
            with killed_after(moment):
                deployment.render()
        except Killed:
            deployment.set_input(then)
            deployment.render()
            assert deployment.files() == fresh.files(), f"killed after {moment} operations"
            assert not disk.staging_folders(deployment.out)
        else:
            assert moment > 8
            return
    raise AssertionError("never came to an end")


operations = st.one_of(
    st.tuples(st.just("render"), st.booleans(), st.booleans()),  # force, reprobe
    st.tuples(st.just("render"), st.just(False), st.just(False)),
    st.tuples(st.just("kill"), st.integers(0, 30), st.booleans()),  # after how many disk operations, reprobe
    st.tuples(st.just("input"), st.integers(0, 5)),
    st.tuples(st.just("edit"), st.sampled_from(PATHS)),
    st.tuples(st.just("delete"), st.sampled_from(PATHS)),
    st.tuples(st.just("crlf"), st.sampled_from((*PATHS, LOCK_NAME))),
    st.tuples(st.just("machine"), st.sampled_from([4, 8, 64])),
    st.tuples(st.just("damage"), st.sampled_from(["{", "", "<<<<<<< ours\n", "null"])),
    st.tuples(st.just("forget")),
    st.tuples(st.just("commit")),
    st.tuples(st.just("checkout")),
)


class History:
    """Runs operations on a deployment and holds what must always be true."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.mine: dict[str, bytes] = {}
        """What the user wrote last into each file, as long as it must be kept."""
        self.touched: set[str] = set()
        """What the user ever wrote to."""
        self.lock_lost = False
        """The lock was deleted or damaged once: files of before may have become strangers."""
        self.committed: tuple[dict[str, bytes], dict[str, bytes], bytes] | None = None
        self.edits = 0

    def run(self, operation: tuple[Any, ...]) -> None:
        name, *arguments = operation
        getattr(self, name)(*arguments)
        self.edits_are_kept()

    def edits_are_kept(self) -> None:
        files = self.deployment.files()
        for path, content in self.mine.items():
            assert files.get(path) == content, f"the edit of {path} is lost"

    def render(self, force: bool, reprobe: bool) -> None:
        deployment = self.deployment
        promised = deployment.exit_code(deployment.check)
        before, stamps = deployment.files(), deployment.stamps()
        owned = set() if promised == 2 else self.locked()
        try:
            changes = deployment.render(force=force, reprobe=reprobe)
        except LockError:
            assert promised == 2
            assert deployment.files() == before
            return
        except StaleError:
            assert promised != 0
            assert not force
            assert deployment.files() == before
            assert self.mine or self.lock_lost, "refused although nobody edited"
            return
        if force:  # gives up edits of what is rendered or was, and of nothing else
            owned |= self.locked()
            self.mine = {path: data for path, data in self.mine.items() if path not in owned}
        elif not reprobe:
            assert changes.nothing == (promised == 0)
        if changes.nothing:
            assert deployment.stamps() == stamps
        assert not disk.staging_folders(deployment.out)
        self.settled()

    def locked(self) -> set[str]:
        lock = read_lock(self.deployment.out)
        return set(lock.files) if lock else set()

    def settled(self) -> None:
        """Right after a render: --check holds, rendering again writes nothing, a fresh folder gets the same bytes."""
        deployment = self.deployment
        assert deployment.check() == CheckOutcome(code=0)
        stamps = deployment.stamps()
        assert deployment.render().nothing
        assert deployment.stamps() == stamps
        lock = read_lock(deployment.out)
        assert lock is not None
        if not self.lock_lost:
            forgotten = set(deployment.files(with_lock=False)) - set(lock.files) - self.touched
            assert not forgotten, "files of an earlier render were left behind"
        with tempfile.TemporaryDirectory() as fresh:
            again = Deployment(Path(fresh), deployment.make_host, deployment.make_lock)
            for name in lock.inputs:
                (again.project / name).write_bytes((deployment.project / name).read_bytes())
            again.render(host=lock.world.host)
            mine = {name: data.replace(b"\r\n", b"\n") for name, data in deployment.files().items()}
            assert {name: mine.get(name) for name in again.files()} == again.files()

    def kill(self, after: int, reprobe: bool) -> None:
        try:
            with killed_after(after):
                self.deployment.render(reprobe=reprobe)
        except (Killed, StaleError, LockError):
            pass

    def input(self, value: int) -> None:
        self.deployment.set_input(value)

    def edit(self, path: str) -> None:
        self.edits += 1
        content = b"edit %d\n" % self.edits
        self.deployment.put(path, content)
        self.mine[path] = content
        self.touched.add(path)

    def delete(self, path: str) -> None:
        (self.deployment.out / path).unlink(missing_ok=True)
        self.mine.pop(path, None)

    def crlf(self, path: str) -> None:
        content = self.deployment.files().get(path)
        if content is not None:
            changed = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            self.deployment.put(path, changed)
            if path in self.mine:
                self.mine[path] = changed

    def machine(self, gib: int) -> None:
        self.deployment.memory_bytes = gib * GIB

    def damage(self, text: str) -> None:
        self.deployment.put(LOCK_NAME, text.encode())
        self.lock_lost = True
        assert self.deployment.exit_code(self.deployment.check) == 2

    def forget(self) -> None:
        (self.deployment.out / LOCK_NAME).unlink(missing_ok=True)
        self.lock_lost = True

    def commit(self) -> None:
        input_now = (self.deployment.project / "mlpack.yaml").read_bytes()
        self.committed = (self.deployment.files(), dict(self.mine), input_now)

    def checkout(self) -> None:
        """As version control does: the committed files, and no other; staging folders are not tracked."""
        if self.committed is None:
            return
        for path in self.deployment.files():
            (self.deployment.out / path).unlink()
        files, mine, input_then = self.committed
        for path, content in files.items():
            self.deployment.put(path, content)
        (self.deployment.project / "mlpack.yaml").write_bytes(input_then)
        self.mine = dict(mine)


@settings(max_examples=EXAMPLES, deadline=None)
@given(history=st.lists(operations, min_size=1, max_size=12))
def test_histories(history: list[tuple[Any, ...]], make_host: MakeHost, make_lock: MakeLock) -> None:
    # a kill of the process, not of the machine: nothing here depends on what has reached the platters
    with tempfile.TemporaryDirectory() as folder, mock.patch("os.fsync"):
        state = History(Deployment(Path(folder), make_host, make_lock))
        for operation in history:
            state.run(operation)
