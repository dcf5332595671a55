"""Where a project starts, which paths belong to it, and what reading its files says when it fails."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mlpack.errors import MlpackError, SpecError
from mlpack.project import find_root, read_text, resolve, sha256_file


def test_the_root_is_the_nearest_folder_with_a_spec(tmp_path: Path) -> None:
    inner = tmp_path / "outer" / "inner"
    (inner / "src").mkdir(parents=True)
    (tmp_path / "outer" / "mlpack.yaml").touch()
    assert find_root(inner / "src") == tmp_path / "outer"
    (inner / "mlpack.yaml").touch()
    assert find_root(inner / "src") == inner
    assert find_root(inner) == inner


def test_without_a_root_init_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="mlpack init"):
        find_root(tmp_path)


@pytest.mark.parametrize("relative", ["a", "weights/knee $v2.safetensors", "a/b c", "./a", ".", "..a/b", "a..b"])
def test_paths_inside(relative: str, tmp_path: Path) -> None:
    assert resolve(tmp_path, relative) == tmp_path / relative


@pytest.mark.parametrize(
    "relative", ["..", "../a", "a/../../b", "/etc/passwd", "", " ", "~/a", "a\nb", "a\x00b", "a\\b"]
)
def test_paths_outside(relative: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError):
        resolve(tmp_path, relative)


def test_a_linked_file_belongs_to_the_project(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.bin"
    elsewhere.write_bytes(b"weights")
    root = tmp_path / "project"
    root.mkdir()
    (root / "weights.bin").symlink_to(elsewhere)
    assert sha256_file(resolve(root, "weights.bin")) == hashlib.sha256(b"weights").hexdigest()


def test_a_large_file_is_hashed_in_pieces(tmp_path: Path) -> None:
    data = b"0123456789abcdef" * (3 * 1024**2 // 16) + b"end"
    (tmp_path / "a").write_bytes(data)
    assert sha256_file(tmp_path / "a") == hashlib.sha256(data).hexdigest()


def test_unreadable_files_say_why(tmp_path: Path) -> None:
    with pytest.raises(MlpackError, match=r"missing: cannot read it: no such file"):
        read_text(tmp_path / "missing")
    with pytest.raises(MlpackError, match="it is a folder"):
        sha256_file(tmp_path)
    (tmp_path / "latin").write_bytes(b"\xe9")
    with pytest.raises(MlpackError, match="UTF-8"):
        read_text(tmp_path / "latin")
