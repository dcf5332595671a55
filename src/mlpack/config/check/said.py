"""One mistake of meaning: what is wrong, at which path of Spec, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Said:
    """``path`` is Spec's own: ``services.web.app``."""

    path: str
    what: str
    hint: str | None = None
