"""``mlpack down``: stops and removes the containers and units of what was rendered; volumes and data stay."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from mlpack.commands.rendered import chosen, is_root
from mlpack.commands.up import states
from mlpack.console import progress, say
from mlpack.errors import ExitCode, MlpackError
from mlpack.launchers.rendered import Rendered
from mlpack.reports.plain import plain


def down_command(project: Path, profiles: tuple[str, ...], environ: Mapping[str, str] = os.environ) -> int:
    """0: nothing of it runs, also where nothing did. Files may have drifted. Raises LockError and UsageError (2),
    MlpackError (1), TransientError (75)."""
    deployment = chosen(project, profiles)
    rendered = Rendered(deployment.folder, deployment.lock.plan, environ)
    rendered.require(root=is_root())
    rendered.down(lambda line: progress(plain(line)))
    left = tuple(part for part in rendered.look() if part.state != "absent")
    if left:
        names = " ".join(part.name for part in left)
        raise MlpackError(
            f"still there: {states(left)}", hint=f"no rendered file names it any more: docker rm --force {names}"
        )
    say(f"down: {deployment.words} (volumes, data and secrets stay)")
    return ExitCode.OK
