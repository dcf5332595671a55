"""The questions that verify asks, in their order; one a module."""

from __future__ import annotations

from mlpack.verify.checks import answers, builds, cards, every_worker, load, memory, planned, ready, starts
from mlpack.verify.checks.base import Check

CHECKS: tuple[Check, ...] = (builds, starts, ready, every_worker, planned, answers, load, memory)
WITH_CARDS: tuple[Check, ...] = (builds, cards, *CHECKS[1:])
"""The same where some service computes on a card."""
TEARDOWN = "teardown"
"""Asked last, by the conductor itself: is anything left?"""
