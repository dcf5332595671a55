"""Lines of `docker events`, as an engine 26.1 wrote them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlpack.launchers.events import Event, parse_event


def line(action: str, **more: Any) -> str:
    """One event of a container."""
    value = {
        "status": action,
        "id": "c0ffee",
        "Type": "container",
        "Action": action,
        "Actor": {"ID": "c0ffee", "Attributes": {"name": "web-1"}},
        "scope": "local",
        "time": 1763850000,
        "timeNano": 1763850000250000000,
    }
    return json.dumps({**value, **more})


def test_starts_and_health_are_seen() -> None:
    assert parse_event(line("start")) == Event("c0ffee", "started", 1763850000.25)
    assert parse_event(line("health_status: healthy")) == Event("c0ffee", "healthy", 1763850000.25)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "WARNING: something",
        "[]",
        "{}",
        "null",
        line("health_status: unhealthy"),
        line("die"),
        line("start", Actor=1),
    ],
)
def test_all_else_is_passed_over(text: str) -> None:
    assert parse_event(text) is None
