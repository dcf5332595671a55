"""``mlpack up``: starts what was rendered and waits until it is ready; refuses what is not as rendered."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from mlpack.commands.render import check_outcome
from mlpack.commands.rendered import Chosen, chosen, is_root
from mlpack.console import progress, say, table
from mlpack.errors import ExitCode, MlpackError, StaleError
from mlpack.launchers.rendered import Part, Rendered
from mlpack.reports.plain import plain


def up_command(project: Path, profiles: tuple[str, ...], environ: Mapping[str, str] = os.environ) -> int:
    """0: everything is ready. Raises StaleError (1, files are not as rendered), LockError and UsageError (2),
    MlpackError (1, something failed; its last lines are shown), TransientError (75), KeyboardInterrupt (130)."""
    deployment = chosen(project, profiles)
    _refuse_drift(deployment)
    rendered = Rendered(deployment.folder, deployment.lock.plan, environ)
    rendered.require(root=is_root())
    before = [part for part in rendered.look() if part.state != "absent"]
    try:
        rendered.up(lambda line: progress(plain(line)))
        parts = rendered.look()
    except KeyboardInterrupt:
        _interrupted(rendered, deployment, ran_before=bool(before))
        raise
    except MlpackError as error:
        progress(f"not everything runs; `mlpack down {deployment.words}` stops what does")
        raise error.__class__(plain_lines(error.what), where=error.where, hint=error.hint) from error
    table(("service", "runs as", "state"), [(part.service, part.name, part.words) for part in parts])
    for name in rendered.strangers():
        progress(f"{name} belongs to no service of {deployment.folder.name} any more: docker rm --force {name}")
    say(f"up: {deployment.words}")
    return ExitCode.OK


def plain_lines(text: str) -> str:
    """Log lines without what a terminal would act on."""
    return "\n".join(plain(line) for line in text.splitlines())


def _refuse_drift(deployment: Chosen) -> None:
    outcome = check_outcome(deployment.root, deployment.profiles)
    if outcome.code:
        raise StaleError(
            "what is rendered is not what mlpack would render; nothing was started:\n  " + "\n  ".join(outcome.reasons),
            where=str(deployment.folder),
            hint=outcome.mend,
        )


def _interrupted(rendered: Rendered, deployment: Chosen, *, ran_before: bool) -> None:
    """What did not run before is taken down again; what did is left as it is. Either way it is said."""
    with _deaf():
        if not ran_before:
            progress("interrupted: taking it down again (volumes and data stay)")
            try:
                rendered.down(lambda line: progress(plain(line)))
                progress(f"down: {deployment.words}")
            except MlpackError as error:
                progress(f"it could not be taken down: {error}; mlpack down {deployment.words}")
            return
        with suppress(MlpackError):
            progress("interrupted, and left as it is: " + (states(rendered.look()) or "nothing runs"))
        progress(f"mlpack up {deployment.words} goes on; mlpack down {deployment.words} stops it")


def states(parts: tuple[Part, ...]) -> str:
    """``web: running, healthy; worker: exited with 1``."""
    return "; ".join(f"{part.service}: {part.words}" for part in parts if part.state != "absent")


@contextmanager
def _deaf() -> Iterator[None]:
    """A second Ctrl-C does not leave half of it up."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    kept = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, kept, strict=True):
            signal.signal(number, handler)
