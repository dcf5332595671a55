"""Acts on a service's processes as accidents do: kills one, freezes them, tells the service to stop."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from mlpack.errors import MlpackError
from mlpack.launchers import engine
from mlpack.verify.seeing import ContainerEyes, HostEyes

_SEND = "import os, sys; [os.kill(int(pid), int(sys.argv[1])) for pid in sys.argv[2:]]"


def send(eyes: HostEyes | ContainerEyes, pids: Iterable[int], number: signal.Signals) -> str | None:
    """Send signal ``number`` to ``pids``, numbered as ``eyes`` number them; why that was not possible, None when it
    was. Processes that are gone already are no error."""
    if isinstance(eyes, HostEyes):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
            except PermissionError:
                return "the service's processes belong to another user of this machine"
        return None
    words = ("exec", eyes.container, "python3", "-c", _SEND, str(int(number)), *map(str, pids))
    try:
        done = engine.docker(words, eyes.environment)
    except MlpackError as error:
        return error.what
    return None if done.code == 0 else engine.last_line(done.stderr)


@contextmanager
def frozen(eyes: HostEyes | ContainerEyes, pids: Iterable[int]) -> Iterator[str | None]:
    """``pids`` do nothing inside the block (SIGSTOP), and go on after it whatever happens. Yields why that failed."""
    every = tuple(pids)
    problem = send(eyes, every, signal.SIGSTOP)
    try:
        yield problem
    finally:
        with suppress(MlpackError):
            send(eyes, every, signal.SIGCONT)


def tell_to_stop(eyes: HostEyes | ContainerEyes) -> str | None:
    """SIGTERM to the service's first process, as engines do; why that was not possible."""
    if isinstance(eyes, HostEyes):
        return send(eyes, (eyes.root,), signal.SIGTERM)
    done = engine.docker(("kill", "--signal", "TERM", eyes.container), eyes.environment)
    return None if done.code == 0 else engine.last_line(done.stderr)
