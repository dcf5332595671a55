# rendered by mlpack; changes belong in mlpack.yaml or compose.override.yaml
# gunicorn's settings for web: https://gunicorn.org/reference/settings/

bind = "0.0.0.0:8000"

# smallest within 5 % of the best requests/s on 8 cores (1 of 8 ways fit into memory): 1 worker x 8 threads is 4.91x one worker with one thread
workers = 1

# sync: its timeout bounds a request; gthread: a fixed number of requests at once; asgi: async apps
worker_class = "sync"

# tensorflow hung on every request after a fork (measured)
preload_app = False

# above the request's 63 s and a load of at most 29 s
timeout = 77

# capped: stops take 60 s
graceful_timeout = 50

# longer than a proxy's pause between requests, short enough not to hold workers
keepalive = 5

# heartbeats in memory: on a slow disk they can look like a hung worker
worker_tmp_dir = "/dev/shm"

# nothing here talks to it, and the root file system is read-only
control_socket_disable = True

proc_name = "segmentation-web"

# to standard output, where the engine rotates it
accesslog = "-"

errorlog = "-"

loglevel = "info"
