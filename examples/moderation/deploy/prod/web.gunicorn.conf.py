# rendered by mlpack; changes belong in mlpack.yaml or compose.override.yaml
# gunicorn's settings for web: https://gunicorn.org/reference/settings/

import atexit
import gc
import os
import sys
import threading

bind = "0.0.0.0:5000"

# smallest within 5 % of the best requests/s on 2 cores (2 of 2 ways fit into memory): 2 workers x 1 thread is 1.97x one worker with one thread
workers = 2

# sync: its timeout bounds a request; gthread: a fixed number of requests at once; asgi: async apps
worker_class = "sync"

# forked workers answered
preload_app = True

# above the request's 10 s and a load of at most 24.2 s
timeout = 30

# a request in progress may finish
graceful_timeout = 10

# longer than a proxy's pause between requests, short enough not to hold workers
keepalive = 5

# heartbeats in memory: on a slow disk they can look like a hung worker
worker_tmp_dir = "/dev/shm"

# nothing here talks to it, and the root file system is read-only
control_socket_disable = True

proc_name = "moderation-web"

# to standard output, where the engine rotates it
accesslog = "-"

errorlog = "-"

loglevel = "info"


def pre_fork(server, worker):
    """Keep what is loaded out of the garbage collector's sight: by writing to each object it would copy its page."""
    gc.freeze()


def worker_exit(server, worker):
    """End as multiprocessing ends what it forked: threads joined, atexit's functions called, output written.

    The interpreter's own end would then take every loaded object apart, and so copy most pages of them.
    """
    if os.getpid() != worker.pid:
        return  # the master, of a worker that is gone
    ending = sys.exc_info()[1]
    status = ending.code if isinstance(ending, SystemExit) else 1
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status if isinstance(status, int) else 0 if status is None else 1)
