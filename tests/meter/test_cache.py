"""Files leave the page cache, or it is said that they did not."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from mlpack.meter.cache import code_files, evict, resident_bytes
from mlpack.units import MIB


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """8 MiB and 10 bytes, in the page cache."""
    path = tmp_path / "weights.bin"
    path.write_bytes(os.urandom(8 * MIB + 10))
    if _in_memory(path):
        pytest.skip("the temporary folder lies in memory (tmpfs): nothing can be evicted there")
    return path


def _in_memory(path: Path) -> bool:
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    at = max((m for m in mounts if path.is_relative_to(m[1])), key=lambda m: len(m[1]))
    return at[2] in ("tmpfs", "ramfs")


def test_a_file_nobody_uses_is_dropped_even_when_just_written(file: Path) -> None:
    assert resident_bytes(file) == 8 * MIB + 4096
    result = evict([file])
    assert (result.cold, result.resident_bytes, result.because()) == (True, 0, "")
    assert result.total_bytes == 8 * MIB + 10
    assert resident_bytes(file) == 0


def test_a_file_that_someone_maps_stays_and_is_named(file: Path) -> None:
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
        assert view[:].count(b"\0") > 0  # touch every page
        result = evict([file])
        assert not result.cold
        assert result.resident_bytes >= 8 * MIB
        assert str(file) in result.because()


def test_contents_stay(file: Path) -> None:
    before = file.read_bytes()
    evict([file])
    assert file.read_bytes() == before


def test_a_file_named_twice_counts_once(file: Path) -> None:
    assert evict([file, file.parent / "." / file.name]).total_bytes == 8 * MIB + 10


def test_a_missing_file_is_not_cold(tmp_path: Path) -> None:
    result = evict([tmp_path / "gone"])
    assert not result.cold
    assert "gone" in result.because()


def test_an_empty_file_and_no_file_are_cold(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert evict([tmp_path / "empty"]).cold
    assert evict([]).cold


def test_code_files_are_shared_libraries_only(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    for name in ("lib/a.so", "lib/b.so.1.2", "c.py"):
        (tmp_path / name).touch()
    assert [file.name for file in code_files([tmp_path])] == ["a.so", "b.so.1.2"]
