"""Sizes, durations and rates as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlpack import units
from mlpack.units import GIB, KIB, MIB


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("8G", 8 * GIB),
        ("8g", 8 * GIB),
        ("8GiB", 8 * GIB),
        ("512M", 512 * MIB),
        ("1.5 GiB", 3 * GIB // 2),
        ("64k", 64 * KIB),
        ("17", 17),
        (17, 17),
        ("100b", 100),
    ],
)
def test_sizes_are_binary(text: str | int, count: int) -> None:
    assert units.parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "G", "8 X", "-1G", "8G8", "1e3", "٣M x"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        units.parse_bytes(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("500ms", 0.5), ("2d", 172800), (3, 3), ("1h 5s", 3605)],
)
def test_durations(text: str | float, seconds: float) -> None:
    assert units.parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "10", "10 years", "m", "5m!", "-3s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        units.parse_duration(text)


def test_rates() -> None:
    assert units.parse_rate("20/s") == 20
    assert units.parse_rate("120/m") == pytest.approx(2)
    with pytest.raises(ValueError, match="is not a rate"):
        units.parse_rate("20/fortnight")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 MiB"),
        (5 * MIB // 2, "2.5 MiB"),
        (2 * MIB, "2 MiB"),
        (1178 * MIB, "1,178 MiB"),
        (150 * MIB // 4, "38 MiB"),
    ],
)
def test_mib_rows(count: int, text: str) -> None:
    assert units.show_mib(count) == text


@given(st.integers(min_value=0, max_value=2**50))
def test_a_limit_in_whole_mib_holds_what_was_asked(count: int) -> None:
    rounded = units.ceil_mib(count)
    assert rounded % MIB == 0
    assert count <= rounded < count + MIB


@given(st.integers(min_value=1, max_value=2**55))
def test_shown_bytes_are_near_the_truth(count: int) -> None:
    number, unit = units.show_bytes(count).split()
    size = {"B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB, "TiB": units.TIB}[unit]
    assert abs(float(number) * size - count) <= 0.006 * count
