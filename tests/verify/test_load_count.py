"""How many requests the load check sends: 200 quick ones, fewer slow ones, and always what was asked for."""

import pytest

from mlpack.verify.checks.load import how_many


@pytest.mark.parametrize(
    ("asked", "mean_s", "handled", "concurrency", "sent"),
    [
        (200, 0.01, 2, 4, 200),  # 1 s of work
        (200, 0.2, 2, 4, 100),  # 10 s of two at once
        (200, 5.0, 2, 4, 40),  # ten turns of the four in flight, however slow
        (200, 5.0, 25, 50, 200),  # ten turns would be 500
        (1000, 5.0, 2, 4, 1000),  # asked for
    ],
)
def test_slow_requests_are_fewer(asked: int, mean_s: float, handled: int, concurrency: int, sent: int) -> None:
    assert how_many(asked, mean_s, handled, concurrency) == sent
