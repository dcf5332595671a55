"""The rules, listed. A new one is a function in its group and a line in the group's RULES."""

from __future__ import annotations

from mlpack.audit.finding import Rule
from mlpack.audit.rules import broker, cards, health, image, memory, network, queue, servers, threads, variables

RULES: tuple[Rule, ...] = (
    *memory.RULES,
    *threads.RULES,
    *servers.RULES,
    *queue.RULES,
    *broker.RULES,
    *health.RULES,
    *variables.RULES,
    *image.RULES,
    *network.RULES,
    *cards.RULES,
)
