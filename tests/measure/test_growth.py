"""Memory that every request leaves behind is found and sized; what settles, saws or steps is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import accumulate

import pytest

from mlpack.measure.growth import LEAST_SPANS, MANY, MOST_S, SPANS, goes_on, growth, longer, series, suspicious
from mlpack.measure.run import measure
from mlpack.measure.subject import Subject
from mlpack.units import KIB, MIB

pytestmark = pytest.mark.slow

ANSWER = """
    start_response("200 OK", [])
    return [b"fine"]
"""


def both(value: Callable[[int], float]) -> tuple[list[int], list[int]]:
    """Two series on one curve, the second after the first."""
    points = [round(100 * MIB + value(i)) for i in range(1, 2 * SPANS + 1)]
    return points[:SPANS], points[SPANS:]


def test_a_straight_line_is_its_slope_whatever_single_readings_do() -> None:
    first, second = both(lambda i: i * 10 * 100 * KIB)
    second[4] += 40 * MIB  # one moment of something else
    assert growth(first, second, 10) == pytest.approx(100 * KIB, rel=0.02)


def test_a_short_first_look_finds_what_a_long_series_would() -> None:
    """A small leak that ``SPANS`` readings show, looked at in ``LEAST_SPANS``; the long second series judges."""
    kept = 18 * KIB
    short = [100 * MIB + i * kept for i in range(LEAST_SPANS)]
    long = [200 * MIB + i * kept for i in range(SPANS)]
    assert not suspicious(short), "in a series of its own it would be noise"
    assert suspicious(short, SPANS)
    assert growth(short, long, 1) == pytest.approx(kept)
    assert growth(short, [200 * MIB] * SPANS, 1) == 0


HEALTHY: dict[str, Callable[[int], float]] = {
    "flat": lambda _: 0,
    "one step": lambda i: 0 if i < 5 else 30 * MIB,
    "settles quickly": lambda i: 50 * MIB * (1 - math.exp(-i / 3)),
    "settles slowly": lambda i: 20 * MIB * math.log(i),
    "a saw of garbage": lambda i: (i % 5) * 8 * MIB,
    "creeps by less than noise": lambda i: i * 8 * KIB,
    "shrinks": lambda i: -i * MIB,
    "a cache that is full halfway": lambda i: min(i, SPANS) * 2 * MIB,
}


@pytest.mark.parametrize("case", HEALTHY)
def test_a_healthy_curve_is_no_growth(case: str) -> None:
    first, second = both(HEALTHY[case])
    assert growth(first, second, 10) == 0


def test_no_slower_app_is_asked_to_take_longer_than_a_minute() -> None:
    for round_s in (1e-6, 0.001, 0.1, 1.0, 5.0, MOST_S / LEAST_SPANS):
        made = series(round_s)
        assert made is not None
        assert made.spans >= LEAST_SPANS
        assert made.spans * made.rounds * round_s <= MOST_S
    assert series(MOST_S / LEAST_SPANS + 0.1) is None


def test_what_fills_up_over_hundreds_of_requests_is_none() -> None:
    """A straight line through both series, which then ends: only the third, longer one tells."""
    first, second = both(lambda i: i * 64 * KIB)
    kept = growth(first, second, 10)
    assert kept == pytest.approx(6.4 * KIB, rel=0.02)
    assert goes_on(kept, [second[-1]] * SPANS, 60) == 0
    assert goes_on(kept, [second[-1] + i * 100 * KIB for i in range(SPANS)], 60) == 0, "a quarter of the pace"
    leaks = [second[-1] + i * 6 * 64 * KIB for i in range(SPANS)]
    assert goes_on(kept, leaks, 60) == pytest.approx(6.4 * KIB)


def test_the_longer_series_is_long_but_bounded() -> None:
    for round_s in (1e-6, 0.001, 0.1, 1.0, 5.0):
        made = series(round_s)
        assert made is not None
        more = longer(made, round_s, 2)
        assert more.spans == made.spans
        assert more.rounds >= made.rounds
        assert more.spans * more.rounds * round_s <= MOST_S
        assert more.spans * more.rounds * 2 >= MANY or more.spans * (more.rounds + 1) * round_s > MOST_S


def test_a_leak_of_100_kib_a_request_is_found(subject: Callable[..., Subject]) -> None:
    text = f"""
kept = []
def app(environ, start_response):
    kept.append(b"x" * (100 << 10))
{ANSWER}"""
    result = measure(subject(text))
    assert result.footprint.growth_bytes_per_request == pytest.approx(100 * KIB, rel=0.1)
    assert any("every request leaves 100" in note for note in result.notes)
    serving = [r for r in result.footprint.regions if r.stage == "serve" and r.kind == "anonymous"]
    assert sum(r.bytes for r in serving) < 3 * MIB  # what leaked while it was looked for is nobody's need


def test_a_leak_under_several_requests_at_once_is_told_per_request(subject: Callable[..., Subject]) -> None:
    text = f"""
kept = []
def app(environ, start_response):
    kept.append(b"x" * (50 << 10))
{ANSWER}"""
    footprint = measure(subject(text), concurrency=3).footprint
    assert footprint.growth_bytes_per_request == pytest.approx(50 * KIB, rel=0.15)


def test_a_cache_with_a_bound_and_cycles_for_the_collector_are_none(subject: Callable[..., Subject]) -> None:
    text = f"""
cache, count = {{}}, 0
def app(environ, start_response):
    global count
    count += 1
    cache[count % 40] = b"x" * (200 << 10)
    loop = [bytearray(1000)]
    loop.append(loop)
{ANSWER}"""
    assert measure(subject(text)).footprint.growth_bytes_per_request == 0


def test_a_cache_that_fills_over_two_series_is_none(subject: Callable[..., Subject]) -> None:
    text = f"""
kept = []
def app(environ, start_response):
    if len(kept) < 1700:  # both series of such a quick app are 1600 requests
        kept.append(b"x" * (20 << 10))
{ANSWER}"""
    assert measure(subject(text)).footprint.growth_bytes_per_request == 0


def steps(values: Iterable[int]) -> list[int]:
    return list(accumulate(values))


def test_suspicion_needs_most_pairs_to_rise() -> None:
    assert suspicious(steps([MIB] * SPANS))
    assert not suspicious(steps([MIB, -MIB] * (SPANS // 2)))
