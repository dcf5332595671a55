"""How many requests the load check sends: 200 where they are quick, fewer slow ones, and always what was asked for."""

import pytest

from mlpack.client.load import Enough
from mlpack.verify.checks.load import USUAL_S, how_many


@pytest.mark.parametrize(
    ("asked", "concurrency", "least"),
    [
        (200, 4, 40),  # ten turns of the four in flight, however slow
        (200, 50, 200),  # ten turns would be 500
        (1000, 4, None),  # asked for
        (10, 4, None),
    ],
)
def test_slow_requests_are_fewer(asked: int, concurrency: int, least: int | None) -> None:
    assert how_many(asked, concurrency) == (asked, None if least is None else Enough(least, USUAL_S))
