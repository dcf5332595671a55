"""What --check says: each reason by name, and the command that mends it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlpack.artifact import Artifact
from mlpack.errors import MlpackError
from mlpack.host import HostFacts
from mlpack.lock import Lock
from mlpack.model import ModelInfo
from mlpack.write import CheckOutcome, check, hash_text, input_hashes, no_lock, preview, write
from mlpack.write.check import input_reasons

MakeLock = Callable[..., Lock]
MakeHost = Callable[..., HostFacts]
COMMAND = "mlpack render prod"
OLD = [Artifact(path="a.txt", text="old\n"), Artifact(path="b.txt", text="b\n"), Artifact(path="c.txt", text="c\n")]
NEW = [Artifact(path="a.txt", text="new\n"), Artifact(path="b.txt", text="b\n")]


def outcome(folder: Path, old: Lock, new: Lock, artifacts: list[Artifact]) -> CheckOutcome:
    changes, texts = preview(folder, old, new, artifacts)
    return check(old, new, artifacts, changes, texts, command=COMMAND)


def test_each_file_is_named_with_what_is_wrong_with_it(tmp_path: Path, make_lock: MakeLock) -> None:
    old, new = make_lock(OLD), make_lock(NEW)
    write(tmp_path, None, old, OLD)
    (tmp_path / "b.txt").unlink()
    found = outcome(tmp_path, old, new, NEW)
    assert found.code == 1
    assert found.reasons == ("a.txt is out of date", "b.txt is missing", "c.txt is no longer rendered")
    assert found.mend == COMMAND
    assert "-old\n+new\n" in found.diff
    assert "--- /dev/null\n+++ b.txt (as rendered)\n" in found.diff
    assert "--- c.txt (on disk)\n+++ /dev/null\n" in found.diff


def test_edits_are_never_mended_without_saying_so(tmp_path: Path, make_lock: MakeLock) -> None:
    old = make_lock(OLD)
    write(tmp_path, None, old, OLD)
    (tmp_path / "a.txt").write_text("mine\n")
    found = outcome(tmp_path, old, old, OLD)
    assert found.reasons == ("a.txt was edited since it was rendered",)
    assert found.mend is not None
    assert "--force" in found.mend
    assert "edits" in found.mend


def test_a_lock_alone_can_be_out_of_date(tmp_path: Path, make_lock: MakeLock) -> None:
    old = make_lock(OLD)
    write(tmp_path, None, old, OLD)
    plan = old.plan.model_copy(update={"name": "other"})
    assert outcome(tmp_path, old, old.model_copy(update={"plan": plan}), OLD).reasons == ("mlpack.lock is out of date",)


def test_inputs_version_machine_and_models_are_named(make_lock: MakeLock, make_host: MakeHost) -> None:
    old = make_lock(inputs={"a": "1", "b": "2"}, models={"bert": ModelInfo(format="gguf", files=())})
    new = make_lock(
        inputs={"b": "3", "c": "4"},
        version="0.2.0",
        host=make_host(1024**3),
        models={"bert": ModelInfo(format="safetensors", files=())},
    )
    assert input_reasons(old, new) == (
        "input a is gone",
        "input b changed",
        "input c is new",
        "rendered by mlpack 0.1.0, this is 0.2.0",
        "model bert changed",
        "the machine in the lock changed",
    )


def test_without_a_lock_the_code_is_2() -> None:
    found = no_lock("deploy/prod/mlpack.lock", COMMAND)
    assert (found.code, found.mend) == (2, COMMAND)


def test_inputs_are_hashed_whatever_their_line_ends_and_absent_ones_left_out(tmp_path: Path) -> None:
    (tmp_path / "mlpack.yaml").write_bytes(b"name: shop\r\n")
    hashes = input_hashes(tmp_path, ["mlpack.yaml", "footprint.json", "mlpack.yaml"])
    assert hashes == {"mlpack.yaml": hash_text("name: shop\n")}
    (tmp_path / "folder").mkdir()
    with pytest.raises(MlpackError, match="cannot be read"):
        input_hashes(tmp_path, ["folder"])
