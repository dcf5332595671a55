"""Brings the decided changes to the disk: stage everything, move it into place, the lock last. All or nothing.

A failure or Ctrl-C before the end puts the old files back. A kill leaves the staging folder, whose lock tells the
next render which half-written files are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mlpack.artifact import Artifact
from mlpack.errors import MlpackError, StaleError
from mlpack.lock import LOCK_NAME, Lock
from mlpack.write import disk
from mlpack.write.changes import Changes, decide
from mlpack.write.diff import diff
from mlpack.write.paths import unsafe

MAX_DIFF_LINES = 80


def preview(
    root: Path, old: Lock | None, new: Lock, artifacts: Sequence[Artifact], *, force: bool = False
) -> tuple[Changes, dict[str, str | None]]:
    """What render would change in ``root``, and the files' present texts. Writes nothing.

    Raises StaleError where a link or folder is in the way, MlpackError for an unsafe path or an unreadable file.
    """
    for artifact in artifacts:
        reason = unsafe(artifact.path)
        if reason is not None:
            raise MlpackError(f"cannot be rendered: the path {reason}", where=artifact.path)
    interrupted = disk.interrupted_files(root)
    paths = {artifact.path for artifact in artifacts}.union(old.files if old else (), *interrupted)
    texts = disk.read_files(root, sorted(paths))
    return decide(old, new, artifacts, texts, interrupted=interrupted, force=force), texts


def write(root: Path, old: Lock | None, new: Lock, artifacts: Sequence[Artifact], *, force: bool = False) -> Changes:
    """Make the output folder ``root`` hold exactly ``artifacts`` and the ``new`` lock; files of others stay.

    ``old`` is what ``read_lock(root)`` gave. Raises StaleError with a diff where someone's edits would be lost
    (nothing is written then), MlpackError where the disk refuses (everything is put back), TransientError where
    another render is at work.
    """
    with disk.explained(root, "write"), disk.output_folder(root):
        changes, texts = preview(root, old, new, artifacts, force=force)
        if changes.refused:
            raise refusal(root, changes, artifacts, texts)
        apply(root, changes, artifacts, new)
    return changes


def refusal(root: Path, changes: Changes, artifacts: Sequence[Artifact], texts: Mapping[str, str | None]) -> StaleError:
    """The error for changes that would lose someone's edits, with the beginning of the diff."""
    only = changes.model_copy(update={"write": (), "delete": ()})
    lines = diff(only, artifacts, texts).splitlines()
    shown = lines[:MAX_DIFF_LINES]
    if len(lines) > len(shown):
        shown.append(f"... {len(lines) - len(shown)} more lines; --diff shows all")
    words = "; ".join(refused.words for refused in changes.refused)
    return StaleError(
        "\n".join([f"{words}. Nothing was written.", *shown]),
        where=str(root),
        hint="say it in mlpack.yaml or in an override file (DEPLOYMENT.md names them); --force overwrites these files",
    )


def apply(root: Path, changes: Changes, artifacts: Sequence[Artifact], lock: Lock) -> None:
    """Do what ``changes`` says in the existing folder ``root``. Raises OSError after everything was put back."""
    leftovers = disk.staging_folders(root)
    if not changes.nothing:
        _replace(root, changes, {artifact.path: artifact for artifact in artifacts}, lock)
    for path in changes.delete:
        for folder in (root / path).relative_to(root).parents[:-1]:
            disk.remove_folder(root / folder)
    for leftover in leftovers:
        disk.remove_tree(leftover)


def _replace(root: Path, changes: Changes, output: Mapping[str, Artifact], lock: Lock) -> None:
    made: list[Path] = []
    stage = disk.make_staging(root)
    staged = done = False
    try:
        for path in (*changes.write, *changes.delete, LOCK_NAME):
            if (root / path).exists():
                disk.copy_file(root / path, stage / "old" / path)
        for path in changes.write:
            disk.write_file(stage / "new" / path, output[path].text, output[path].mode)
        for path in changes.write:
            for folder in reversed(Path(path).parents[:-1]):
                if not (root / folder).exists():
                    made.append(root / folder)
                    disk.make_folder(root / folder)
        disk.write_file(stage / "new" / LOCK_NAME, lock.to_json(), 0o644)
        staged = True
        for path in changes.write:
            disk.move(stage / "new" / path, root / path)
        for path in changes.delete:
            disk.remove(root / path)
        disk.move(stage / "new" / LOCK_NAME, root / LOCK_NAME)
        done = True
    finally:
        if not done:
            try:
                _put_back(root, changes, stage, staged)
            except OSError as error:
                raise MlpackError(
                    f"a file could not be put back after a failure: {error.strerror}",
                    where=str(root),
                    hint="the folder is half-written; mend the cause and render again, which completes it",
                ) from error
            finally:
                for folder in reversed(made):
                    disk.remove_folder(folder)
        disk.remove_tree(stage)  # not reached where putting back failed: its lock tells the next render what is ours


def _put_back(root: Path, changes: Changes, stage: Path, staged: bool) -> None:
    """Undo the moves that happened, and only those: a file that left the staging folder was moved."""
    for path in (LOCK_NAME, *changes.write) if staged else ():
        if not (stage / "new" / path).exists():
            _restore(stage / "old" / path, root / path)
    for path in changes.delete:
        if not (root / path).exists():
            _restore(stage / "old" / path, root / path)


def _restore(saved: Path, place: Path) -> None:
    if saved.exists():
        disk.move(saved, place)
    else:
        disk.remove(place)
