"""How much of a machine others used."""

from __future__ import annotations

from mlpack.verify.busy import Mark, others_share


def test_what_is_neither_ours_nor_idle_is_others() -> None:
    start, end = Mark(0.0, 100.0, 1.0), Mark(10.0, 118.0, 2.0)
    assert others_share(start, end, services_s=5.0, cores=2) == (18 - 5 - 1) / 20


def test_it_stays_between_nothing_and_everything() -> None:
    start = Mark(0.0, 100.0, 1.0)
    assert others_share(start, Mark(10.0, 101.0, 1.0), services_s=5.0, cores=2) == 0.0
    assert others_share(start, Mark(10.0, 200.0, 1.0), services_s=5.0, cores=2) == 1.0
    assert others_share(start, start, services_s=0.0, cores=2) == 0.0
