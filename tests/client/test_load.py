"""Loads: every request once, never more at once than asked, percentiles of right answers, bounded in time."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpack.client.load import LEAST_S, NOT_SENT, Enough, Outcome, histogram, load, nearest_rank
from mlpack.errors import UsageError, VerifyError


def test_every_request_is_sent_once_and_as_many_at_once_as_asked() -> None:
    together = threading.Barrier(4)  # breaks, and fails the test, unless four are under way at the same time
    indexes: list[int] = []
    guard = threading.Lock()
    under_way = most = 0

    def send(index: int) -> Outcome:
        nonlocal under_way, most
        with guard:
            indexes.append(index)
            under_way += 1
            most = max(most, under_way)
        together.wait(timeout=30)
        with guard:
            under_way -= 1
        return Outcome(0.1)

    result = load(send, 20, 4, deadline_s=60)
    assert sorted(indexes) == list(range(20))
    assert most == 4
    assert (result.requests, result.concurrency, result.errors, result.error_kinds) == (20, 4, 0, {})


def test_percentiles_are_of_right_answers_and_errors_are_counted_by_kind() -> None:
    def send(index: int) -> Outcome:
        if index >= 100:
            return Outcome(99.0, "status 503" if index % 2 else "timed out", "words")
        return Outcome((index + 1) / 100)

    seen: list[Outcome] = []
    result = load(send, 110, 8, deadline_s=60, saw=seen.append)
    assert (result.p50_s, result.p95_s, result.p99_s, result.max_s) == (0.5, 0.95, 0.99, 1.0)
    assert result.errors == 10
    assert result.error_kinds == {"status 503": 5, "timed out": 5}
    assert len(seen) == 110


def test_nothing_right_is_zeros_not_a_crash() -> None:
    result = load(lambda _: Outcome(1.0, "status 500"), 3, 9, deadline_s=60)
    assert (result.errors, result.p99_s, result.max_s, result.requests_per_s) == (3, 0.0, 0.0, 0.0)


def test_enough_ends_a_load_of_slow_requests_but_not_before_the_least() -> None:
    now = 0.0

    def send(_: int) -> Outcome:
        nonlocal now
        now += 1.0
        return Outcome(1.0)

    by_time = load(send, 200, 1, deadline_s=900, enough=Enough(5, 9.5), clock=lambda: now)
    assert (by_time.requests, by_time.errors) == (10, 0)
    now = 0.0
    by_count = load(send, 200, 1, deadline_s=900, enough=Enough(20, 9.5), clock=lambda: now)
    assert (by_count.requests, by_count.errors) == (20, 0)
    now = 0.0
    quick = load(send, 8, 1, deadline_s=900, enough=Enough(5, 9.5), clock=lambda: now)
    assert quick.requests == 8, "all, where they are quick"
    now = 0.0
    late = load(send, 200, 1, deadline_s=3.5, enough=Enough(20, 9.5), clock=lambda: now)
    assert (late.requests, late.error_kinds) == (20, {NOT_SENT: 16}), "what is missing of the least was not sent"


def test_after_the_deadline_nothing_is_sent_and_that_is_an_error() -> None:
    now = 0.0

    def send(_: int) -> Outcome:
        nonlocal now
        now += 1.0
        return Outcome(1.0)

    result = load(send, 10, 1, deadline_s=3.5, clock=lambda: now)
    assert result.error_kinds == {NOT_SENT: 6}
    assert (result.errors, result.duration_s, result.requests_per_s) == (6, 4.0, 1.0)


def test_an_exception_of_send_ends_the_load_and_is_raised() -> None:
    sent = []

    def send(index: int) -> Outcome:
        sent.append(index)
        raise VerifyError("the sample is gone")

    with pytest.raises(VerifyError, match="the sample is gone"):
        load(send, 1000, 2, deadline_s=60)
    assert len(sent) <= 2


@pytest.mark.parametrize(("requests", "concurrency"), [(0, 1), (1, 0), (-1, 1), (1, 257)])
def test_impossible_counts_are_refused(requests: int, concurrency: int) -> None:
    with pytest.raises(UsageError):
        load(lambda _: Outcome(0.0), requests, concurrency, deadline_s=1)


@given(values=st.lists(st.floats(0, 100), min_size=1), share=st.floats(0.001, 1))
def test_nearest_rank_is_the_smallest_value_that_covers_the_share(values: list[float], share: float) -> None:
    ordered = sorted(values)
    found = nearest_rank(ordered, share)
    assert found in ordered
    covered = sum(value <= found for value in ordered)
    assert covered >= share * len(ordered) - 1e-9
    assert sum(value < found for value in ordered) < share * len(ordered) + 1e-9


@given(st.lists(st.floats(0.0, 600.0), max_size=40))
def test_every_latency_is_in_exactly_one_bin(latencies: list[float]) -> None:
    bins = histogram(latencies)
    assert sum(one.count for one in bins) == len(latencies)
    assert list(bins) == sorted(bins, key=lambda one: one.from_s)
    assert all(before.to_s <= after.from_s for before, after in pairwise(bins))
    for one in bins:
        assert one.count == sum(one.from_s <= max(LEAST_S, latency) < one.to_s for latency in latencies)
        assert 1.1 < one.to_s / one.from_s < 1.14


def test_a_load_has_its_latencies() -> None:
    result = load(lambda index: Outcome(0.1 if index else 5.0, None), 10, 1, deadline_s=60)
    assert [(one.from_s, one.to_s, one.count) for one in result.latencies] == [(0.1, 0.1122, 9), (4.467, 5.012, 1)]
