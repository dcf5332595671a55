# rendered by mlpack; changes belong in mlpack.yaml or compose.override.yaml
"""Tells whether a Celery worker's parent is at work, without importing the app a second time.

Imported by the worker (`--include`), it leaves a mark at every heartbeat that Celery sends, each 2 s, from the loop
that takes tasks from the broker: a parent that hangs, or has lost its broker, leaves none. Children that compute do
not hinder it; one that hangs is ended by the task's time limit.

As a program: exit status 0 if the mark is not older than so many seconds.
"""

import os
import sys
import time

MARK = "/tmp/celery-heartbeat"


def mark(**_):
    with open(MARK, "a", encoding="ascii"):
        os.utime(MARK)


def main(oldest_s):
    try:
        age_s = time.time() - os.stat(MARK).st_mtime
    except OSError:
        print("no heartbeat yet: the worker is not connected to its broker")
        return 1
    if age_s > float(oldest_s):
        print(f"the last heartbeat was {age_s:.0f} s ago: the worker hangs, or has lost its broker")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

import gc

from celery import signals
from celery.signals import heartbeat_sent


heartbeat_sent.connect(mark)


def freeze(**_):
    """Keep what the parent holds from its children's collectors, which write to each object and so copy its page."""
    gc.collect()
    gc.freeze()


if hasattr(signals, "worker_before_create_process"):  # Celery 5.3 and later
    signals.worker_before_create_process.connect(freeze)
