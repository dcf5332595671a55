"""What one worker needs of a card, from its footprint: context and weights once, requests times those at once."""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.footprint import Footprint, Region
from mlpack.plan import Term
from mlpack.units import ceil_mib

HEADROOM = 1.05
"""As for the host's memory: predictions are made to be on the safe side, and a card has no swap."""


@dataclass(frozen=True)
class CardNeed:
    """Bytes of one worker at its peak, with headroom; ``lower_bytes`` is what it surely needs."""

    bytes: int
    lower_bytes: int
    terms: tuple[Term, ...]
    measured: bool

    @property
    def must_bytes(self) -> int:
        """What is refused below: a measured need whole, of an estimate the sure part."""
        return self.bytes if self.measured else self.lower_bytes


def card_need(footprint: Footprint, concurrency: int) -> CardNeed | None:
    """The need of one process on a card; None where the footprint has no regions there."""
    regions = [region for region in footprint.regions if region.kind == "gpu"]
    if not regions:
        return None
    terms = tuple(
        Term(name=one.name, each_bytes=one.bytes, count=_count(one, concurrency), source=one.source) for one in regions
    )
    lower = sum(one.lower_bytes * _count(one, concurrency) for one in regions)
    total = sum(term.total_bytes for term in terms)
    return CardNeed(ceil_mib(round(HEADROOM * total)), lower, terms, footprint.source == "measured")


def _count(region: Region, concurrency: int) -> int:
    return concurrency if region.per == "request" else 1
