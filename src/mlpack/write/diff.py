"""Shows what render would change, as a unified diff from the disk to the output."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from mlpack.artifact import Artifact
from mlpack.write.changes import Changes

MAX_LINES = 20_000
"""difflib is quadratic; nothing that mlpack renders comes near this."""


def diff(changes: Changes, artifacts: Sequence[Artifact], disk: Mapping[str, str | None]) -> str:
    """A unified diff of every file that render would write, delete or refuse; ``""`` where there is none."""
    output = {artifact.path: artifact.text for artifact in artifacts}
    paths = {*changes.write, *changes.delete, *(refusal.path for refusal in changes.refused)}
    return "".join(_one(path, disk.get(path), output.get(path)) for path in sorted(paths))


def _one(path: str, before: str | None, after: str | None) -> str:
    old, new = _lines(before), _lines(after)
    if max(len(old), len(new)) > MAX_LINES:
        return f"{path}: {len(old)} lines on disk, {len(new)} as rendered; too long to compare\n"
    named = difflib.unified_diff(
        old,
        new,
        "/dev/null" if before is None else f"{path} (on disk)",
        "/dev/null" if after is None else f"{path} (as rendered)",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in named)


def _lines(text: str | None) -> list[str]:
    """Lines with their ends; control characters and undecodable bytes escaped, as a terminal would obey them."""
    if text is None:
        return []
    lines = text.replace("\r\n", "\n").split("\n")
    shown = [_printable(line) + "\n" for line in lines[:-1]]
    return [*shown, _printable(lines[-1])] if lines[-1] else shown


def _printable(line: str) -> str:
    return "".join(
        char if char.isprintable() or char == "\t" else char.encode("unicode_escape").decode() for char in line
    )
