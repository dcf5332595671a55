"""What a search is to find, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.errors import UsageError

KNOWN = ("limit", "workers", "batch")


@dataclass(frozen=True)
class Wanted:
    """``what``: names of KNOWN. ``seconds``: no trial starts after them. ``again``: earlier trials do not count."""

    what: tuple[str, ...]
    service: str | None
    seconds: float
    again: bool = False

    def checked(self) -> Wanted:
        """Itself. Raises UsageError for a search that does not exist, or a time in which nothing can be tried."""
        unknown = [name for name in self.what if name not in KNOWN]
        if unknown:
            raise UsageError(f"tune cannot search for {unknown[0]!r}", hint=f"one of: {', '.join(KNOWN)}")
        if self.seconds <= 0:
            raise UsageError("no time to search in", hint="--minutes 30")
        return self
