"""The image that a measurement runs in: built from what was rendered, and everything started taken down again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlpack.errors import LockError, MlpackError, UsageError
from mlpack.flow import Gathered, output_folder
from mlpack.launchers import compose
from mlpack.launchers.base import Deployment
from mlpack.launchers.owner import current_owner
from mlpack.measure.container import in_container
from mlpack.measure.run import MakePlace
from mlpack.plan import Plan
from mlpack.verify.shield import shielded
from mlpack.write import input_hashes, read_lock


@dataclass(frozen=True)
class BuiltRun:
    """A built deployment, whose services are measured one container at a time."""

    plan: Plan
    secrets: Mapping[str, str]
    place: Callable[[str], MakePlace]


@contextmanager
def built(
    gathered: Gathered, profiles: tuple[str, ...], names: Sequence[str], say: Callable[[str], None]
) -> Iterator[BuiltRun]:
    """Build the image of deploy/<profiles>; at the end, however it comes, nothing that was started is left.

    Raises LockError (nothing rendered), UsageError (a service without a container), BuildFailed, TransientError.
    """
    folder = output_folder(gathered.root, profiles)
    lock = read_lock(folder)
    if lock is None:
        raise LockError(
            "nothing was rendered here, so there is no image to measure in",
            where=str(folder.relative_to(gathered.root)),
            hint=f"render it first: mlpack render {' '.join(profiles)} (its numbers may be estimates)",
        )
    for name in names:
        if name not in lock.plan.services or lock.plan.services[name].target != "compose":
            what = f"{name} runs in no container of {folder.relative_to(gathered.root)}"
            raise UsageError(what, hint="leave --in-container out, or render it for compose")
    # footprint.json itself is left aside: that it changes is what measuring is for
    now = input_hashes(gathered.root, gathered.sources)
    changed = [file for file in now if file != "footprint.json" and lock.inputs.get(file) != now[file]]
    if changed:
        say(f"{', '.join(changed)} changed since the last render: the image is built as it was rendered then")
    environ, owner = dict(os.environ), current_owner()
    compose.sweep(owner, environ, say)
    root = gathered.root.resolve()
    run = compose.launch(Deployment(root, folder.resolve(), lock.plan, owner, environ), say)
    with tempfile.TemporaryDirectory(prefix=f"{owner.project}-measure-") as scratch:
        try:
            for line in run.build().evidence:
                say(line)

            def place(name: str) -> MakePlace:
                return in_container(run, name, Path(scratch), owner.project, environ)

            yield BuiltRun(lock.plan, run.secrets, place)
        finally:
            left = _stop(run, say)
    if left:
        raise MlpackError(f"what was started could not be removed: {', '.join(left)}", hint="the next run tries again")


def _stop(run: compose.Composed, say: Callable[[str], None]) -> tuple[str, ...]:
    """Remove everything; a Ctrl-C that comes now does not cut it short."""
    with shielded(say):
        return run.stop()
