"""Which worker sits on which card: as many workers as the cards hold, none over-filled, every service at least once.

Exact, not greedy: all ways are tried, card by card, and of those with the most workers the most even one is taken. So
more memory on a card never means fewer workers, which a first-fit rule would not promise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

from mlpack.planner.gpu_cards import Card

MOST_STATES = 4096
"""Counts of workers that are kept apart at one card; with more services than that allows, each gets fewer cards."""

Seats = tuple[tuple[int, ...], ...]
"""For each demand the card of every worker, by index; the first ones on cards of their own."""


@dataclass(frozen=True)
class Demand:
    """One service's wish. ``each_bytes``: one unit (a worker, or a block of workers that stay on one card)."""

    each_bytes: int
    least: int
    most: int
    per_card: int
    """Units on one card, at most."""
    cards: frozenset[int]
    """Those whose hardware can compute it."""
    processes: int = 1
    """Of one unit."""


def place(demands: Sequence[Demand], cards: Sequence[Card]) -> Seats | None:
    """Seats for all ``demands``; None where not every one gets its least."""
    wanted = _bounded(demands)
    # counts of units so far -> (unevenness, seats)
    reached: dict[tuple[int, ...], tuple[int, Seats]] = {(0,) * len(wanted): (0, ((),) * len(wanted))}
    for index, card in enumerate(cards):
        ways = list(_ways(wanted, index, card))
        after: dict[tuple[int, ...], tuple[int, Seats]] = {}
        for counts, (uneven, seats) in reached.items():
            for way in ways:
                total = tuple(have + more for have, more in zip(counts, way, strict=True))
                if any(count > one.most for count, one in zip(total, wanted, strict=True)):
                    continue
                cost = uneven + sum(way) ** 2
                if total not in after or cost < after[total][0]:
                    more_seats = zip(seats, way, strict=True)
                    after[total] = (cost, tuple(had + (index,) * more for had, more in more_seats))
        reached = after
    enough = {
        counts: found
        for counts, found in reached.items()
        if all(count >= one.least for count, one in zip(counts, wanted, strict=True))
    }
    if not enough:
        return None
    best = max(enough, key=lambda counts: (sum(counts), -enough[counts][0], counts))
    return tuple(_own_first(seats) for seats in enough[best][1])


def _bounded(demands: Sequence[Demand]) -> list[Demand]:
    """``demands`` with so few units each that the search stays small."""
    wanted = list(demands)
    while prod(one.most + 1 for one in wanted) > MOST_STATES:
        largest = max(range(len(wanted)), key=lambda i: wanted[i].most - wanted[i].least)
        if wanted[largest].most == wanted[largest].least:
            break
        wanted[largest] = replace(wanted[largest], most=wanted[largest].most - 1)
    return wanted


def _ways(demands: Sequence[Demand], index: int, card: Card) -> Iterator[tuple[int, ...]]:
    """Every combination of units that fits on ``card``."""

    def extend(at: int, left: int, slots: int) -> Iterator[tuple[int, ...]]:
        if at == len(demands):
            yield ()
            return
        one = demands[at]
        most = min(one.per_card, one.most) if index in one.cards else 0
        for count in range(most + 1):
            if count * one.each_bytes > left or count * one.processes > slots:
                return
            for rest in extend(at + 1, left - count * one.each_bytes, slots - count * one.processes):
                yield (count, *rest)

    yield from extend(0, card.room_bytes, card.slots)


def _own_first(seats: tuple[int, ...]) -> tuple[int, ...]:
    """Round by round over the cards, so that any first part of the seats is spread as far as it goes."""
    rounds = [(seats[:at].count(card), card) for at, card in enumerate(seats)]
    return tuple(card for _, card in sorted(rounds))
