"""Asks health routes while something else goes on, as an engine would, and keeps what they said."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mlpack.launchers.base import Instance
from mlpack.verify.run import Poll, Run

EVERY_S = 1.0


@contextmanager
def polling(run: Run) -> Iterator[None]:
    """Ask every instance's health route each second inside the block, with the planned timeout; ``run.polls``."""
    stop = threading.Event()
    found: list[Poll] = []
    asked = [one for one in run.instances if _path(run, one) is not None and one.url is not None]
    threads = [
        threading.Thread(target=_poll, args=(run, instance, stop, found), daemon=True, name=f"health {instance.name}")
        for instance in asked
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
    for thread in threads:
        thread.join()  # the last question may still wait: that is what is asked
    run.polls = tuple(found)


def _poll(run: Run, instance: Instance, stop: threading.Event, found: list[Poll]) -> None:
    health, path = run.service(instance).health, _path(run, instance)
    assert health is not None
    assert path is not None
    assert instance.url is not None
    while not stop.is_set():
        start_s = time.monotonic()
        reason = run.asking().not_healthy(instance.url, path, float(health.timeout_s.value))
        found.append(Poll(instance.name, time.monotonic() - start_s, reason))
        stop.wait(EVERY_S)


def _path(run: Run, instance: Instance) -> str | None:
    health = run.service(instance).health
    return None if health is None else health.path
