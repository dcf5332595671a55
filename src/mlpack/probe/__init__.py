"""probe: what this machine is. Reading (``gather``, in threads where it waits) and understanding (``parse``) are apart.

Import this module before the nouns: while the engine and its plugins answer, Python imports the nouns.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlpack.probe.engine_reading import Later, read_engine
from mlpack.probe.outside import Outside

if TYPE_CHECKING:
    from mlpack.host import HostFacts

__all__ = ["Outside", "differences", "probe", "stable"]


def probe(project: Path, *, outside: Outside | None = None) -> HostFacts:
    """Facts of this machine, or of a recorded one when ``outside`` says so; ``project`` is the folder to deploy from.

    What cannot be read is in ``unread`` with the reason. Raises MlpackError on an unknown system, or when even the
    size of the memory cannot be read. Takes a fraction of a second, and not much longer than the engine's timeout.
    """
    outside = outside or Outside()
    engine = Later(lambda: read_engine(outside))
    from mlpack.probe.gather import gather
    from mlpack.probe.parse import parse

    return parse(gather(project.absolute(), outside, engine.result()))


def differences(was: HostFacts, now: HostFacts) -> tuple[str, ...]:
    """In words, what changed that a plan depends on (see mlpack.probe.compare)."""
    from mlpack.probe import compare

    return compare.differences(was, now)


def stable(facts: HostFacts) -> HostFacts:
    """``facts`` as a lock keeps them: without what changes by the minute (see mlpack.probe.compare)."""
    from mlpack.probe import compare

    return compare.stable(facts)
