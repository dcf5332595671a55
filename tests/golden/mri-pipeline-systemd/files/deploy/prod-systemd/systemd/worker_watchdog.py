# rendered by mlpack; changes belong in mlpack.yaml, or in a drop-in: systemctl edit NAME
"""Tells systemd that a Celery worker's parent is at work; one that falls silent is ended, and started again.

Imported by the worker (`--include`), it sends a sign of life at every heartbeat of Celery's, each 2 s, from the loop
that takes tasks from the broker: a parent that hangs, or has lost its broker, sends none. Children that compute do not
hinder it; one that hangs is ended by the task's time limit. The first sign arms the watchdog: a slow start is no
silence. The unit says how many seconds a silence may last; 0 turns it off.
"""

import gc
import os
import socket
from contextlib import suppress

from celery import signals
from celery.signals import heartbeat_sent


SILENT_S = int(os.environ.get("MLPACK_SILENT_S", "0"))
PLACE = os.environ.get("NOTIFY_SOCKET")


def tell(**_):
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
        out.connect(PLACE)
        out.send(f"WATCHDOG_USEC={SILENT_S * 1_000_000}\nWATCHDOG=1".encode())


if SILENT_S and PLACE:
    heartbeat_sent.connect(tell)


def freeze(**_):
    """Keep what the parent holds from its children's collectors, which write to each object and so copy its page."""
    gc.collect()
    gc.freeze()


if hasattr(signals, "worker_before_create_process"):  # Celery 5.3 and later
    signals.worker_before_create_process.connect(freeze)
