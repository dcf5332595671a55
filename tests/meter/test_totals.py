"""Memory of several processes is added as a container is charged for it."""

from __future__ import annotations

from mlpack.meter.smaps import FileRange
from mlpack.meter.snapshot import ProcessReading
from mlpack.meter.totals import by_file, totals

PAGE = 4096


def part(offset: int, length: int, rss: int, *, inode: int = 5, shm: bool = False) -> FileRange:
    return FileRange("fe:00", inode, f"/f{inode}", offset * PAGE, length * PAGE, rss * PAGE, shm)


def process(*files: FileRange, anonymous: int = 0, share: int | None = None) -> ProcessReading:
    numbers = dict.fromkeys(ProcessReading._fields, 0)
    fields = {"files": files, "anonymous_bytes": anonymous, "pss_anonymous_bytes": share}
    return ProcessReading(**{**numbers, "name": "", "cmdline": (), "environ": {}, **fields})  # type: ignore[arg-type]


def pages(*processes: ProcessReading) -> int:
    return by_file(processes, shm=False).get("/f5", 0) // PAGE


def test_workers_that_map_the_same_file_count_it_once() -> None:
    assert pages(*[process(part(0, 100, 100))] * 4) == 100


def test_a_worker_that_touched_more_decides() -> None:
    assert pages(process(part(0, 100, 40)), process(part(0, 100, 70))) == 70


def test_parts_that_do_not_overlap_are_added() -> None:
    assert pages(process(part(0, 10, 10)), process(part(10, 10, 10))) == 20


def test_one_map_split_in_two_by_another_process_is_the_same_pages() -> None:
    assert pages(process(part(0, 100, 60)), process(part(0, 50, 40), part(50, 50, 20))) == 60


def test_never_more_than_the_file() -> None:
    assert pages(process(part(0, 100, 100), part(0, 90, 90))) == 100


def test_other_files_are_added_and_shared_memory_is_apart() -> None:
    sums = totals([process(part(0, 8, 8), part(0, 8, 8, inode=6), part(0, 4, 4, inode=7, shm=True))])
    assert (sums.mapped_bytes, sums.shm_bytes) == (16 * PAGE, 4 * PAGE)


def test_anonymous_pages_shared_after_a_fork_count_once() -> None:
    # 100 shared by three, and 10 of its own each: 3 x (100/3 + 10) = 130
    forked = [process(anonymous=110 * PAGE, share=(100 * PAGE) // 3 + 10 * PAGE)] * 3
    assert abs(totals(forked).anonymous_bytes - 130 * PAGE) < 3


def test_one_process_alone_has_all_its_memory() -> None:
    assert totals([process(anonymous=100, share=50)]).anonymous_bytes == 100


def test_nothing_is_nothing() -> None:
    assert totals([]).anonymous_bytes == totals([]).mapped_bytes == 0
