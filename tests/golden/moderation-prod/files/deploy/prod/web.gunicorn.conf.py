# rendered by mlpack; changes belong in mlpack.yaml or compose.override.yaml
# gunicorn's settings for web: https://gunicorn.org/reference/settings/

bind = "0.0.0.0:5000"

# smallest within 5 % of the best requests/s on 4 cores (4 of 4 ways fit into memory): 4 workers x 1 thread is 3.94x one worker with one thread
workers = 4

# sync: its timeout bounds a request; gthread: a fixed number of requests at once; asgi: async apps
worker_class = "sync"

# no inference after a fork has been proven; `mlpack estimate --measure` tries it
preload_app = False

# above the request's 2.02 min and a load of at most 88.5 s
timeout = 147

# capped: stops take 60 s
graceful_timeout = 50

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
