"""What gunicorn and uvicorn share when they serve an ASGI app: what bounds the requests that a worker lets in."""

from __future__ import annotations

from mlpack.servers.base import Admission
from mlpack.spec import Spec

DEF_ENDPOINT_THREADS = 40
"""A FastAPI `def` endpoint runs in anyio's pool of 40 threads (measured: 40 requests at once, facts.md)."""
BLOCKING_ASYNC = 1
"""A blocking `async def` holds the event loop: one request at a time, and /health waits behind it."""
ANY_ADDRESS = "0.0.0.0"  # a container's own network; what the host publishes is decided by the target


def asgi_admission(spec: Spec, name: str, *, worker_class: str | None = None) -> Admission:
    """How an ASGI worker admits requests. No ASGI server queues: the bound has to come from the app.

    gunicorn's `worker_connections` is not read by its ASGI worker (27.0, gasgi.py), and uvicorn's
    `--limit-concurrency` answers 503 instead of queueing, health checks included. So the number is adjustable only
    where the app reads it, which shows as ``env: {NAME: {from: <itself>.concurrency}}``.
    """
    service = spec.services[name]
    natural = BLOCKING_ASYNC if service.endpoint == "async" else DEF_ENDPOINT_THREADS
    readers = [key for key, value in service.env.items() if value.of == name and value.fact == "concurrency"]
    if readers:
        return Admission(natural, True, f"the app, which reads {readers[0]}", worker_class)
    if service.endpoint == "async":
        return Admission(natural, False, "the event loop: a blocking `async def` endpoint", worker_class)
    return Admission(natural, False, "nothing", worker_class)


def listen_address(target: str, publish_host: str, *, published: bool = True) -> str:
    """Where the program listens: everywhere inside a container's network, on the published address on a host.

    On a host, what is not published (an app behind a proxy) answers to this machine only.
    """
    if target != "systemd":
        return ANY_ADDRESS
    return publish_host if published else "127.0.0.1"
