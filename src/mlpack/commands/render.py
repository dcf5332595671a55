"""``mlpack render``: writes a plan's files, or says what it would write."""

from __future__ import annotations

import shlex
from pathlib import Path

from mlpack.commands.annotate import SPEC, annotate, in_repository, require_ci
from mlpack.commands.host import read_host
from mlpack.commands.plan import show_findings
from mlpack.console import progress, say
from mlpack.errors import ExitCode
from mlpack.flow import Gathered, Produced, gather, output_folder, produce
from mlpack.lock import Lock
from mlpack.probe import probe
from mlpack.project import find_root
from mlpack.reports.annotations import Annotation
from mlpack.write import Changes, CheckOutcome, check, diff, no_lock, preview, read_lock, world_for_render, write


def render_command(
    project: Path,
    profiles: tuple[str, ...],
    host_file: Path | None,
    *,
    reprobe: bool,
    force: bool,
    write: bool,
    show_diff: bool,
) -> int:
    """Render into deploy/<profiles>; without ``write`` only say (or ``show_diff``) what would change."""
    gathered = gather(project, profiles)
    folder = output_folder(gathered.root, profiles)
    old = read_lock(folder)
    world, notes = world_for_render(
        old,
        gathered.spec.models,
        gathered.present,
        probed=lambda: probe(gathered.root),
        reprobe=reprobe,
        host=read_host(host_file) if host_file else None,
    )
    for note in notes:
        progress(note)
    made = produce(gathered, world)
    shown = folder.relative_to(gathered.root)
    if write:
        changes = _write(folder, old, made, force=force)
        _say_changes(shown, changes, "wrote", "deleted")
        show_findings(made.lock.plan.findings)
        return ExitCode.OK
    changes, texts = preview(folder, old, made.lock, made.artifacts, force=force)
    if show_diff:
        say(diff(changes, made.artifacts, texts).rstrip() or f"{shown} is as mlpack would render it")
    else:
        _say_changes(shown, changes, "would write", "would delete")
    for refused in changes.refused:
        progress(f"would refuse: {refused.words} (--force overwrites it)")
    return ExitCode.FAILED if changes.refused else ExitCode.OK


def check_command(project: Path, profiles: tuple[str, ...], *, show_diff: bool) -> int:
    """Would render write? 0 no, 1 yes, 2 there is no lock. Never probes, never writes, never prompts."""
    outcome = check_outcome(project, profiles)
    for reason in outcome.reasons:
        say(reason)
    if show_diff and outcome.diff:
        say(outcome.diff.rstrip())
    if outcome.mend:
        progress(f"  mend it with: {outcome.mend}")
    if outcome.code:
        words = "\n".join((*outcome.reasons, *((f"Mend it with: {outcome.mend}",) if outcome.mend else ())))
        place = in_repository(find_root(project) / SPEC)
        annotate(require_ci("auto"), [Annotation("render --check", "error", words, place)])
    return outcome.code


def check_outcome(project: Path, profiles: tuple[str, ...]) -> CheckOutcome:
    """Whether render would change anything in the lock's own world, and why. Raises what reading the project does."""
    gathered = gather(project, profiles)
    folder = output_folder(gathered.root, profiles)
    command = f"mlpack render {shlex.join(profiles)}"
    old = read_lock(folder)
    if old is None:
        return no_lock(str(folder.relative_to(gathered.root) / "mlpack.lock"), command)
    made = _as_locked(gathered, old)
    changes, texts = preview(folder, old, made.lock, made.artifacts)
    return check(old, made.lock, made.artifacts, changes, texts, command=command)


def _as_locked(gathered: Gathered, lock: Lock) -> Produced:
    """What render would write now in the lock's own world."""
    world, _ = world_for_render(lock, gathered.spec.models, gathered.present, probed=None)
    return produce(gathered, world)


def _write(folder: Path, old: Lock | None, made: Produced, *, force: bool) -> Changes:
    return write(folder, old, made.lock, made.artifacts, force=force)


def _say_changes(folder: Path, changes: Changes, wrote: str, deleted: str) -> None:
    for path in changes.write:
        say(f"{wrote} {folder / path}")
    for path in changes.delete:
        say(f"{deleted} {folder / path}")
    if changes.nothing:
        say(f"{folder} is up to date")
    elif not changes.write and not changes.delete:
        say(f"{folder}: files are up to date, mlpack.lock {'is' if wrote == 'wrote' else 'would be'} new")
