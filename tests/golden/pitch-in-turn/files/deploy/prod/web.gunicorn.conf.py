# rendered by mlpack; changes belong in mlpack.yaml or compose.override.yaml
# gunicorn's settings for web: https://gunicorn.org/reference/settings/

import fcntl
import os
import signal
import sys
import tempfile
import time

bind = "0.0.0.0:8000"

# smallest within 5 % of the best requests/s on 4 cores (4 of 4 ways fit into memory): 4 workers x 1 thread is 3.94x one worker with one thread
workers = 4

# sync: its timeout bounds a request; gthread: a fixed number of requests at once; asgi: async apps
worker_class = "sync"

# no inference after a fork has been proven; `mlpack estimate --measure` tries it
preload_app = False

# above the request's 10 s and a load of at most 16.1 s
timeout = 30

# a request in progress may finish
graceful_timeout = 10

# longer than a proxy's pause between requests, short enough not to hold workers
keepalive = 5

# heartbeats in memory: on a slow disk they can look like a hung worker
worker_tmp_dir = "/dev/shm"

# nothing here talks to it, and the root file system is read-only
control_socket_disable = True

proc_name = "pitch-web"

# to standard output, where the engine rotates it
accesslog = "-"

errorlog = "-"

loglevel = "info"


# Workers load one after the other: all 4 loading at once would need 1,628 MiB, which is not there.
# The record lock belongs to one process and ends with it, however it ends. A waiting worker reports to the master as a
# busy one does; it is not ready, and whoever loads may use the whole `timeout`.
turn = tempfile.TemporaryFile()


def post_fork(server, worker):
    """Wait for the turn to import the app and load its models."""
    for stop in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(stop, signal.SIG_DFL)  # nothing to tidy up yet; the worker sets its own when it goes on
    while True:
        try:
            fcntl.lockf(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except (BlockingIOError, PermissionError):
            if os.getppid() != worker.ppid:
                sys.exit(0)  # the master is gone
            worker.notify()
            time.sleep(0.1)


def let_next_load(worker):
    """The next one loads as soon as this worker runs: an ASGI app's lifespan, which comes later, included."""
    notify = worker.notify

    def first():
        worker.notify = notify
        fcntl.lockf(turn, fcntl.LOCK_UN)
        notify()

    worker.notify = first


def post_worker_init(worker):
    """Runs in each worker before it serves."""
    let_next_load(worker)
