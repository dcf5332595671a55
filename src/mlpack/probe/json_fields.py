"""Fields of JSON that others wrote: what is not of the expected kind is absent. Pure."""

from __future__ import annotations

import json
from typing import Any


def parse_object(text: str | None) -> dict[str, Any]:
    """The JSON object in ``text``; an empty one when it is anything else."""
    try:
        value = json.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def text_field(value: Any, *names: str) -> str | None:
    """The text at ``names`` below ``value``; None when something else is there."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value else None
