"""``mlpack probe``: what this machine is, as a table or as JSON."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from mlpack.console import heading, say, table
from mlpack.errors import ExitCode
from mlpack.probe import probe


def probe_command(project: Path, *, as_json: bool) -> int:
    """Show HostFacts. What cannot be read is listed with the reason and is no failure."""
    facts = probe(project)
    if as_json:
        say(facts.to_json().rstrip())
        return ExitCode.OK
    from mlpack.probe.table import rows  # here, so that nouns are imported while the engine is asked

    for section, lines in groupby(rows(facts), key=lambda row: row[0]):
        heading(section)
        table(("what", "value"), [(name, value) for _, name, value in lines])
    return ExitCode.OK
