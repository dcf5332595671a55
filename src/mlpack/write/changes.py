"""Decides what a render does to each file: write, delete, adopt, leave, or refuse. Pure; ``decide`` is the state table.

A file is ours if its hash is the lock's (or that of a render which was killed half-way). Content that equals the
output needs no ownership. Anything else is someone's edit, and refuses the whole set unless ``force``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from mlpack.artifact import Artifact
from mlpack.lock import Lock
from mlpack.noun import Noun
from mlpack.write.hashes import hash_text


class Refusal(Noun):
    """A file that render would have to overwrite or delete although it does not know its content."""

    path: str
    kind: Literal["edited", "foreign", "edited-orphan"]
    """``edited``: ours once, changed since. ``foreign``: never ours. ``edited-orphan``: edited and not rendered
    any more."""

    @property
    def words(self) -> str:
        """The refusal for people: ``compose.yaml was edited``."""
        return {
            "edited": f"{self.path} was edited since it was rendered",
            "foreign": f"{self.path} exists and was not rendered by mlpack",
            "edited-orphan": f"{self.path} is no longer rendered, and was edited since it was",
        }[self.kind]


class Changes(Noun):
    """What render would do. Paths are relative to the output folder, each group sorted; the groups are disjoint."""

    write: tuple[str, ...] = ()
    """Missing, or ours with older content."""
    delete: tuple[str, ...] = ()
    """Ours, unedited, and no longer rendered."""
    adopt: tuple[str, ...] = ()
    """Equal to the output already, but not known to the lock: only the lock changes."""
    current: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    lock: bool = False
    """The lock would be rewritten."""

    @property
    def nothing(self) -> bool:
        """Render would leave every byte as it is."""
        return not (self.write or self.delete or self.adopt or self.refused or self.lock)


def decide(
    old: Lock | None,
    new: Lock,
    artifacts: Sequence[Artifact],
    disk: Mapping[str, str | None],
    *,
    interrupted: Sequence[Mapping[str, str]] = (),
    force: bool = False,
) -> Changes:
    """What to do with each artifact and each file of the ``old`` lock.

    ``disk`` maps each of those paths to its text, None where missing. ``interrupted`` holds the ``files`` of locks
    that killed renders had staged: content with those hashes is ours too. ``force`` overwrites what would be refused.
    """
    locked = old.files if old else {}
    write: list[str] = []
    delete: list[str] = []
    adopt: list[str] = []
    current: list[str] = []
    refused: list[Refusal] = []

    def ours(path: str, digest: str) -> bool:
        return digest == locked.get(path) or any(digest == files.get(path) for files in interrupted)

    rendered = {artifact.path: hash_text(artifact.text) for artifact in artifacts}
    for path, wanted in sorted(rendered.items()):
        text = disk.get(path)
        digest = None if text is None else hash_text(text)
        if digest == wanted:
            (current if locked.get(path) == wanted else adopt).append(path)
        elif digest is None or force or ours(path, digest):
            write.append(path)
        else:
            refused.append(Refusal(path=path, kind="edited" if path in locked else "foreign"))
    for path in sorted({*locked, *(path for files in interrupted for path in files)} - set(rendered)):
        text = disk.get(path)
        if text is None:
            continue
        if ours(path, hash_text(text)) or (force and path in locked):
            delete.append(path)
        elif path in locked:
            refused.append(Refusal(path=path, kind="edited-orphan"))
    return Changes(
        write=tuple(write),
        delete=tuple(delete),
        adopt=tuple(adopt),
        current=tuple(current),
        refused=tuple(refused),
        lock=old is None or old.to_json() != new.to_json(),
    )
