"""Decides whether a worker keeps memory of every request, from its anonymous memory after each of many equal spans.

Healthy workers settle: allocators fill their arenas, caches fill up, garbage waits for its collector. A leak goes on.
So growth counts only if it is steady, larger than noise, and goes on at the same pace in a second series and in a third
of many more requests: four small transformers kept 6 MiB over their first 500 requests, and 44 KiB over the next 2,500
(measured). Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from mlpack.units import KIB

SPANS = 16
"""Readings of one series, one after each span of requests."""
LEAST_SPANS = 8
FOR_S = 4.0
"""What a series should take, where requests are quick."""
MIXED_S = 15.0
"""The same where requests of several lengths take turns: the allocator settles later."""
MOST_S = 60.0
"""What it may take; an app too slow for ``LEAST_SPANS`` rounds within it is not looked at."""
MOST_ROUNDS = 50
"""Rounds in one span, at most: 16 spans of 50 show 1 KiB a request with ease."""
NOISE_BYTES = 256 * KIB
"""A series that grows by less in all has not grown: stacks and arenas come and go by such amounts."""
RISING_SHARE = 0.8
"""Of all pairs of readings, how many must rise: a step rises in half of them at most, noise in half."""
SAME_PACE = 0.7
"""The second series of a leak grows as fast as the first; what settles (log-like at worst) grows half as fast."""
MANY = 1000
"""Requests of the third series, where ``MOST_S`` allows them: most of what settles has settled before its end."""


@dataclass(frozen=True)
class Series:
    """How a series is made: ``spans`` readings, ``rounds`` rounds of requests before each."""

    spans: int
    rounds: int


def series(round_s: float, for_s: float = FOR_S) -> Series | None:
    """How many rounds to try when one takes ``round_s``, in about ``for_s``; None: too slow to look."""
    round_s = max(round_s, 1e-6)
    if round_s * LEAST_SPANS > MOST_S:
        return None
    spans = min(SPANS, int(MOST_S / round_s))
    return Series(spans, max(1, min(MOST_ROUNDS, int(for_s / spans / round_s))))


def longer(plan: Series, round_s: float, requests_per_round: int, most_s: float = MOST_S) -> Series:
    """The third series: as many readings as ``plan``, of ``MANY`` requests if ``most_s`` allows them."""
    wanted = -(-MANY // (plan.spans * requests_per_round))
    return Series(plan.spans, max(plan.rounds, min(wanted, int(most_s / plan.spans / max(round_s, 1e-6)))))


def suspicious(readings: Sequence[int], spans: int = 0) -> bool:
    """Whether ``readings`` (bytes, in their order) rise steadily and by more than noise.

    ``spans``: how long a series is that would judge, where ``readings`` are a shorter first look at the same pace.
    """
    pairs = [(a, b) for index, a in enumerate(readings) for b in readings[index + 1 :]]
    rising = sum(b > a for a, b in pairs)
    return slope(readings) * (max(spans, len(readings)) - 1) > NOISE_BYTES and rising >= RISING_SHARE * len(pairs)


def slope(readings: Sequence[int]) -> float:
    """Bytes per span: the median of the slopes of all pairs (Theil-Sen), which outliers do not move."""
    return median(
        (later - earlier) / (j - i)
        for i, earlier in enumerate(readings)
        for j, later in enumerate(readings[i + 1 :], start=i + 1)
    )


def growth(first: Sequence[int], second: Sequence[int], requests_per_span: int) -> float:
    """Bytes kept of every request, 0 where none show. ``second``: a further series after a suspicious first one, which
    may have been shorter."""
    if not suspicious(first, len(second)) or not suspicious(second) or slope(second) < SAME_PACE * slope(first):
        return 0.0
    return slope(second) / requests_per_span


def goes_on(kept: float, third: Sequence[int], requests_per_span: int) -> float:
    """``kept`` bytes of every request, as the ``third`` series shows them; 0 where it shows none, or far fewer."""
    late = slope(third) / requests_per_span
    return late if suspicious(third) and late >= SAME_PACE * kept else 0.0
