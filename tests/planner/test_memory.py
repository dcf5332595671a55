"""The memory rule by hand: one row per fork point, and nothing else multiplies."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.planner.build import CELERY, GUNICORN, UVICORN, footprint, region, subject

from mlpack.footprint import FIRST_USED_LIBRARIES
from mlpack.planner.memory import Need, need
from mlpack.planner.moments import fork_point
from mlpack.planner.subject import Choice
from mlpack.units import KIB, MIB

HEALTH, TMP, KERNEL = 10, 1, 2.5


def mib(sum_: Need) -> tuple[float, float]:
    """Start-up and serving peak in MiB."""
    return sum_.load / MIB, sum_.serve / MIB


def test_gunicorn_workers_share_files_only() -> None:
    web = subject(GUNICORN)
    master = 13
    load = master + 3 * (100 + 60 + 40) + 50 + 4 * KERNEL + HEALTH + TMP
    serve = master + 3 * (100 + 60) + 2 * 30 + 40 + 50 + 20 + 4 * KERNEL + HEALTH + TMP  # one reloads: 40 > 30
    assert mib(need(web, Choice(3, 1, 1))) == (load, serve)


def test_serving_is_the_peak_where_requests_are_larger_than_the_load() -> None:
    web = subject(GUNICORN)
    serve = 13 + 2 * (100 + 60 + 5 * 30) + 70 + 3 * KERNEL + HEALTH + TMP
    assert need(web, Choice(2, 1, 5)).serve == serve * MIB


def test_preload_shares_what_is_there_before_the_fork() -> None:
    web = subject(GUNICORN, footprint(fork_proven=True, unshared_bytes=25 * MIB))
    choice = Choice(3, 1, 1, preload=True)
    assert fork_point(web, choice) == "after-load"
    load = 100 + 60 + 40 + 50 + KERNEL + HEALTH + TMP
    serve = 100 + 60 + 3 * (25 + 30) + 70 + 4 * KERNEL + HEALTH + TMP
    assert mib(need(web, choice)) == (load, serve)


@pytest.mark.parametrize(("read_ahead", "around"), [(None, 0), (128 * KIB, 0), (8 * MIB, 8), (64 * MIB, 12)])
def test_forked_workers_read_around_their_first_pages(read_ahead: int | None, around: int) -> None:
    hot = region(FIRST_USED_LIBRARIES, "serve", "mapped", "process", 12)
    print_ = footprint(regions=(*footprint().regions, hot), fork_proven=True, unshared_bytes=25 * MIB)
    usual = subject(GUNICORN, print_)
    web = replace(usual, read_ahead_bytes=read_ahead)
    preloaded, loaded_by_each = Choice(3, 1, 1, preload=True), Choice(3, 1, 1)
    assert need(web, preloaded).serve - need(usual, preloaded).serve == 3 * around * MIB
    assert need(web, preloaded).load == need(usual, preloaded).load
    assert need(web, loaded_by_each) == need(usual, loaded_by_each)


def test_celery_forks_after_import() -> None:
    worker = subject(CELERY)
    load = 12 + 100 + 2 * (28 + 60 + 40) + 50 + 3 * KERNEL + HEALTH + TMP
    assert need(worker, Choice(2, 1, 1)).load == load * MIB


def test_a_child_unshares_no_more_than_was_shared() -> None:
    small = footprint(regions=(region("libraries", "import", "anonymous", "process", 10),))
    assert need(subject(CELERY, small), Choice(2, 1, 1)).serve == (12 + 10 + 2 * 10 + 3 * KERNEL + HEALTH + TMP) * MIB


@pytest.mark.parametrize(("workers", "supervisors"), [(1, 0), (2, 1)])
def test_uvicorn_has_a_supervisor_for_several_workers_only(workers: int, supervisors: int) -> None:
    own = (4 + 13) * supervisors
    load = own + workers * 200 + 50 + (workers + supervisors) * KERNEL + HEALTH + TMP
    assert need(subject(UVICORN), Choice(workers, 1, 1)).load == load * MIB


def test_limit_is_the_rule_in_whole_mib() -> None:
    sum_ = need(subject(GUNICORN), Choice(1, 1, 1))
    exact = 1.05 * max(sum_.load, sum_.serve) + 0.10 * 70 * MIB
    assert sum_.limit % MIB == 0
    assert exact <= sum_.limit < exact + MIB


@pytest.mark.parametrize(
    ("anonymous", "request_", "mapped", "workers", "need_mib", "boundary"),
    [
        (274, 18, 212, 2, 820, 780),  # MiniLM: refaults 0.9 MiB per request at 780, 149 at 740
        (274, 7, 487, 2, 1077, 1100),  # 110M mapped: 0.02 at 1100, 12 at 1050
        (277, 30, 1608, 1, 1940, 2050),  # 410M mapped, 4 threads: 21 at 2050, 240 at 1950
    ],
)
def test_limit_against_the_measured_refault_free_boundary(  # noqa: PLR0917 - a row of that table
    anonymous: float, request_: float, mapped: float, workers: int, need_mib: float, boundary: float
) -> None:
    """docs/memory.md, "What limit is needed"; anonymous per worker and mapped are split as its first table has them."""
    regions = (
        region("held", "import", "anonymous", "process", anonymous),
        region("activations", "serve", "anonymous", "request", request_),
        region("mapped", "load", "mapped", "process", mapped),
    )
    sum_ = need(subject(GUNICORN, footprint(regions=regions)), Choice(workers, 1, 1))
    assert sum_.serve / MIB - HEALTH - TMP == pytest.approx(need_mib, rel=0.02)
    assert 1.02 <= sum_.limit / MIB / boundary <= 1.17


def test_shared_memory_counts_once_and_sizes_the_mount() -> None:
    web = subject(GUNICORN)
    more = (*web.footprint.regions, region("object store", "serve", "shm", "process", 128))
    with_shm = replace(web, footprint=footprint(regions=more))
    choice = Choice(2, 1, 5)
    assert need(with_shm, choice).serve - need(web, choice).serve == 128 * MIB


def test_uploads_are_spooled_to_tmpfs_and_charged() -> None:
    web = subject({**GUNICORN, "max_body_bytes": 10 * MIB})
    assert need(web, Choice(2, 1, 1)).serve - need(subject(GUNICORN), Choice(2, 1, 1)).serve == 2 * 10 * MIB
    assert need(web, Choice(2, 1, 40)).serve - need(subject(GUNICORN), Choice(2, 1, 40)).serve == 8 * 10 * MIB


def test_a_measured_kernel_region_counts_once() -> None:
    web = subject(GUNICORN)
    measured = (*web.footprint.regions, region("kernel", "import", "kernel", "process", 8))
    sum_ = need(replace(web, footprint=footprint(regions=measured)), Choice(2, 1, 5))
    assert sum_.serve - need(web, Choice(2, 1, 5)).serve == (8 - KERNEL) * MIB


def test_loading_in_turn_is_one_loading_while_the_others_serve() -> None:
    web = subject(GUNICORN)
    together, in_turn = need(web, Choice(3, 1, 1)), need(web, Choice(3, 1, 1, in_turn=True))
    load = 13 + 3 * (100 + 60) + 40 + 2 * 30 + 50 + 20 + 4 * KERNEL + HEALTH + TMP
    assert mib(in_turn) == (load, load)
    assert together.load - in_turn.load == (2 * 40 - 2 * 30 - 20) * MIB
    assert in_turn.serve == together.serve
