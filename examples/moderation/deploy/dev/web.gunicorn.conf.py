# rendered by mlpack; changes belong in mlpack.yaml or compose.override.yaml
# gunicorn's settings for web: https://gunicorn.org/reference/settings/

bind = "0.0.0.0:5000"

# smallest within 5 % of the best requests/s on 2 cores (2 of 2 ways fit into memory): 2 workers x 1 thread is 1.97x one worker with one thread
workers = 2

# sync: its timeout bounds a request; gthread: a fixed number of requests at once; asgi: async apps
worker_class = "sync"

# settings.reload: what the master has loaded would not be loaded again
preload_app = False

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

loglevel = "debug"

reload = True
