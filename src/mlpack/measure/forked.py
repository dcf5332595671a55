"""What a forked process of the measured worker does: it answers, and stays to be looked at.

Runs in the measured process: standard library only, nothing newer than Python 3.8 outside annotations.
"""

from __future__ import annotations

import os
import time

from mlpack.measure.drive import Asgi, Wsgi

FORKED_ANSWERS = 4
"""Of each forked process: the first copies most (24 MiB in examples/moderation), three more the rest (27)."""


def answer(driver: Wsgi | Asgi, write: int) -> None:
    """In a forked process: start up, answer, tell, and stay to be looked at.

    It answers more than once, and the garbage is collected, as sooner or later it is in each worker: that writes to
    every object that the collector sees, and so copies its page (85 MiB of examples/moderation, were they not frozen).
    """
    import gc

    said = "ok"
    try:
        driver.startup()
        for _ in range(FORKED_ANSWERS):
            driver.once()
        gc.collect()
    except BaseException as error:
        said = f"{type(error).__name__}: {error}"
    os.write(write, said[:1000].encode())
    while True:
        time.sleep(60)
