"""smaps is read right: against a recorded process whose memory was made to a plan (tests/recorded_meter/README.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack.meter.smaps import file_ranges, parse_rollup, parse_smaps, parse_status, tmpfs_devices
from mlpack.meter.snapshot import ProcessReading, read_process
from mlpack.meter.totals import by_file
from mlpack.units import KIB, MIB

RECORDED = Path(__file__).parent.parent / "recorded_meter" / "linux-6.18-x86_64"


def recorded(name: str) -> str:
    return (RECORDED / name).read_text()


def test_anonymous_counts_written_pages_of_private_file_maps() -> None:
    cow = [vma for vma in parse_smaps(recorded("smaps")) if vma.path.endswith("file.bin") and vma.anonymous_bytes]
    assert [vma.anonymous_bytes for vma in cow] == [MIB // 4]


def test_file_pages_are_told_from_memory_that_only_looks_like_a_file() -> None:
    ranges = file_ranges(parse_smaps(recorded("smaps")))
    shm = {part.path: part.rss_bytes for part in ranges if part.shm}
    assert shm == {
        "/memfd:cache (deleted)": 3 * MIB,
        "/dev/shm/rec-segment (deleted)": 2 * MIB,
        "/dev/zero (deleted)": 4 * MIB,
    }
    files = {part.path for part in ranges if not part.shm}
    assert files == {"/srv/app/weights file.bin", "/srv/app/gone.bin (deleted)", "/usr/bin/python3.11"}


def test_heap_stack_vdso_and_anonymous_maps_belong_to_no_file() -> None:
    vmas = parse_smaps(recorded("smaps"))
    assert {"[heap]", "[stack]", "[vdso]", "[vvar]", ""} <= {vma.path for vma in vmas}
    assert not [part for part in file_ranges(vmas) if part.path.startswith("[") or not part.path]


def test_a_file_mapped_twice_counts_once() -> None:
    ranges = tuple(file_ranges(parse_smaps(recorded("smaps"))))
    sizes = by_file([process(files=ranges)], shm=False)
    assert sizes["/srv/app/weights file.bin"] == MIB
    assert sizes["/srv/app/gone.bin (deleted)"] == MIB // 2


def test_tmpfs_mounts_are_memory_whatever_their_path() -> None:
    devices = tmpfs_devices(recorded("mountinfo"))
    assert "00:1b" in devices  # 0:27, /dev/shm
    assert "fe:00" not in devices  # 254:0, ext4
    on_tmpfs = parse_smaps(recorded("smaps").replace("fe:00", "00:1b"))
    assert all(part.shm for part in file_ranges(on_tmpfs, devices))


def test_rollup_agrees_with_status() -> None:
    rollup, status = parse_rollup(recorded("smaps_rollup")), parse_status(recorded("status"))
    assert rollup.anonymous_bytes == rollup.pss_anonymous_bytes == status.anonymous_bytes == 17684 * KIB
    assert rollup.rss_bytes == status.anonymous_bytes + status.file_bytes + status.shm_bytes
    assert status.shm_bytes == 9 * MIB
    assert rollup.uss_bytes == (16 + 28144) * KIB
    assert (status.threads, status.name, status.peak_rss_bytes) == (1, "python3", 43768 * KIB)


def test_a_rollup_before_linux_5_4_has_no_anonymous_share() -> None:
    text = "".join(line for line in recorded("smaps_rollup").splitlines(keepends=True) if "Pss_" not in line)
    assert parse_rollup(text).pss_anonymous_bytes is None


@pytest.mark.parametrize("share", [0.0, 0.1, 0.33, 0.5, 0.77, 0.95])
def test_text_cut_off_anywhere_gives_whole_mappings_only(share: float) -> None:
    text = recorded("smaps")
    whole = parse_smaps(text)
    part = parse_smaps(text[: int(len(text) * share)].rpartition("\n")[0])
    assert part == whole[: len(part)]
    assert len(part) < len(whole)


def test_a_process_without_memory_is_left_out(tmp_path: Path) -> None:
    zombie = tmp_path / "7"
    zombie.mkdir()
    (zombie / "status").write_text("Name:\tgone\nState:\tZ (zombie)\nPPid:\t1\nThreads:\t1\n")
    (zombie / "smaps").write_text("")
    assert read_process(tmp_path, 7) is None
    assert read_process(tmp_path, 8) is None


def test_hugetlb_is_counted_apart() -> None:
    text = recorded("smaps").replace("Private_Hugetlb:       0 kB", "Private_Hugetlb:    2048 kB", 1)
    assert sum(vma.hugetlb_bytes for vma in parse_smaps(text)) == 2 * MIB


def process(**fields: object) -> ProcessReading:
    """A process of which only ``fields`` matter."""
    numbers = dict.fromkeys(ProcessReading._fields, 0)
    return ProcessReading(**{**numbers, "name": "x", "cmdline": (), "files": (), "environ": {}, **fields})  # type: ignore[arg-type]
