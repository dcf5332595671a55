"""Lets clean-up finish: while it runs, Ctrl-C and SIGTERM wait, and are raised when it is done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mlpack.launchers.base import Say


@contextmanager
def shielded(say: Say) -> Iterator[None]:
    """Signals inside the block are answered with a word, and afterwards raised as KeyboardInterrupt.

    Outside the main thread Python delivers no signals, and nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []

    def wait(number: int, _frame: object) -> None:
        caught.append(number)
        say("still removing what was started; this ends by itself")

    before = {number: signal.signal(number, wait) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: not set by Python
    if caught:
        raise KeyboardInterrupt
