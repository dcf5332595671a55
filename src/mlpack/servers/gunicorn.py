"""gunicorn: a master that forks workers before they import the app; all settings live in one rendered file.

ASGI apps run on gunicorn's own ASGI worker (`worker_class = "asgi"`, gunicorn >= 25): it needs no further package,
runs the app's lifespan before a worker accepts, and stops gunicorn when that fails. `uvicorn.workers` is deprecated,
and its successor uvicorn-worker would be one more dependency that a project may not have.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.servers.asgi import asgi_admission, listen_address
from mlpack.servers.base import Admission, ServerFacts
from mlpack.servers.paths import deploy_folder
from mlpack.spec import Spec
from mlpack.units import MIB

FACTS = ServerFacts(
    name="gunicorn",
    role="app",
    image=None,
    port=8000,
    url="http://{host}:{port}",
    fork_point="before-import",
    preload_fork_point="after-load",
    has_master=True,
    chain="web",
    anonymous_bytes=16 * MIB,
    mapped_bytes=5 * MIB,
    start_s=1.0,
    health_argv=None,
    master_bytes=13 * MIB,
    loads_in_turn=True,
    source="gunicorn 27.0.1, Python 3.11: master and each worker 18.5 MiB anonymous (asgi), 14 (sync, gthread), "
    "10 mapped; a bare interpreter, 2.8 and 5.7, is taken off. Of the master 12.5 (asgi), 10.7 (gthread) and 10.4 "
    "(sync) are its own once two workers have imported transformers and answered 200 requests, 9.6, 8.3 and "
    "7.9 beside a bare app",
)
HEARTBEAT_FOLDER = "/dev/shm"
"""The workers' heartbeat files: on a disk a slow fsync can look like a hung worker (gunicorn's FAQ)."""
KEEPALIVE_S = 5
"""Longer than a load balancer's pause between two requests, short enough to free sync workers; gunicorn's own is 2."""


def admission(spec: Spec, name: str) -> Admission:
    """ASGI: see ``asgi_admission``. WSGI: exactly as many requests as the worker has threads, one under sync.

    ``worker_class`` is None for WSGI: it follows from the planned concurrency, see ``worker_class``.
    """
    if interface(spec, name) == "asgi":
        return asgi_admission(spec, name, worker_class="asgi")
    return Admission(natural=1, adjustable=True, enforced_by="gunicorn's threads")


def interface(spec: Spec, name: str) -> str:
    """``asgi`` or ``wsgi``; where nothing says which, an ``endpoint`` means asgi and the rest is gunicorn's default."""
    service = spec.services[name]
    return service.interface or ("asgi" if service.endpoint else "wsgi")


def worker_class(plan: Plan, name: str) -> str:
    """The planned worker class, else for WSGI sync at one request at a time and gthread above.

    sync is the only class whose `timeout` bounds a request (measured, facts.md); gthread's is a heartbeat.
    """
    service = plan.services[name]
    if service.worker_class is not None:
        return service.worker_class.value
    if interface(plan.spec, name) == "asgi":
        return "asgi"
    return "sync" if service.concurrency.value == 1 else "gthread"


def config_path(plan: Plan, name: str) -> str:
    """The settings file, relative to the project."""
    return f"{deploy_folder(plan.profiles)}/{name}.gunicorn.conf.py"


def argv(plan: Plan, name: str) -> tuple[str, ...]:
    """``gunicorn --config <root>/deploy/<profiles>/<service>.gunicorn.conf.py app:app``; SpecError without an app."""
    app = plan.spec.services[name].app
    if app is None:
        raise SpecError(
            "gunicorn needs the app to serve", where=f"services.{name}.app", hint='write `app: "module:name"`'
        )
    return ("gunicorn", "--config", f"{plan.spec.root_path}/{config_path(plan, name)}", app)


def config(plan: Plan, name: str) -> Mapping[str, object]:
    """gunicorn's settings by their real names, in the order of the file; checked by gunicorn itself in the tests."""
    service = plan.services[name]
    settings = plan.spec.settings
    chosen = worker_class(plan, name)
    address = listen_address(service.target, settings.publish_host, published=service.publish is not None)
    values: dict[str, object] = {
        "bind": f"{address}:{service.port or FACTS.port}",
        "workers": service.workers.value,
        "worker_class": chosen,
    }
    if chosen == "gthread":
        values["threads"] = service.concurrency.value
    values |= {
        "preload_app": service.preload.value,
        **({"max_requests": service.recycle.value} if service.recycle else {}),
        **({"max_requests_jitter": service.recycle_jitter.value} if service.recycle_jitter else {}),
        "timeout": (service.times.worker_s or service.times.graceful_s).value,
        "graceful_timeout": service.times.graceful_s.value,
        "keepalive": KEEPALIVE_S,
        "worker_tmp_dir": HEARTBEAT_FOLDER,
        "control_socket_disable": True,
        "proc_name": f"{plan.name}-{name}",
        "accesslog": "-",
        "errorlog": "-",
        "loglevel": settings.log_level,
    }
    if settings.reload:
        values["reload"] = True
    return values
