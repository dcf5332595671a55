"""uvicorn: with one worker a single process; with several a supervisor that spawns them, so that nothing is shared."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.servers.asgi import asgi_admission, listen_address
from mlpack.servers.base import Admission, ServerFacts
from mlpack.servers.cards import cards_module
from mlpack.servers.draining import draining_path
from mlpack.servers.paths import deploy_folder
from mlpack.spec import Spec
from mlpack.units import MIB

FACTS = ServerFacts(
    name="uvicorn",
    role="app",
    image=None,
    port=8000,
    url="http://{host}:{port}",
    fork_point="never",
    preload_fork_point=None,
    has_master=True,
    chain="web",
    anonymous_bytes=13 * MIB,
    mapped_bytes=5 * MIB,
    start_s=1.0,
    health_argv=None,
    master_bytes=17 * MIB,
    reload_needs_one_worker=True,
    source="uvicorn 0.54, Python 3.11: 15.7 MiB anonymous and 10 mapped per process, supervisor alike (plus a "
    "resource tracker of 5.7); a bare interpreter, 2.8 and 5.7, is taken off",
)


def admission(spec: Spec, name: str) -> Admission:
    """As every ASGI server: only the app itself bounds its requests."""
    return asgi_admission(spec, name)


def argv(plan: Plan, name: str) -> tuple[str, ...]:
    """``uvicorn app:app --host ... --workers N ...``; ``app: "m:create()"`` becomes ``--factory``. Raises SpecError.

    Behind a proxy a rendered program stands in the place of ``uvicorn`` (servers/draining.py).
    """
    service = plan.services[name]
    settings = plan.spec.settings
    app, factory = _app(plan, name)
    module, draining = cards_module(plan, name), draining_path(plan, name)
    words = ["python", f"{plan.spec.root_path}/{draining}"] if draining else ["uvicorn"]
    if module is not None:  # every worker takes a card before it imports the app
        words += ["--app-dir", f"{plan.spec.root_path}/{deploy_folder(plan.profiles)}"]
        app = f"{module}:app"
    words += [app, *(["--factory"] if factory else [])]
    words += ["--host", listen_address(service.target, settings.publish_host, published=service.publish is not None)]
    words += ["--port", str(service.port or FACTS.port)]
    if settings.reload and service.workers.value == 1:
        words += ["--reload"]  # excludes --workers; several were asked for where they are planned
    elif service.workers.value > 1:
        words += ["--workers", str(service.workers.value)]
        # default 5 s: a worker that holds the GIL while it loads is killed, again and again (uvicorn#2506)
        patience = service.times.worker_s or service.times.graceful_s
        words += ["--timeout-worker-healthcheck", str(patience.value)]
    words += ["--timeout-graceful-shutdown", str(service.times.graceful_s.value)]
    words += ["--log-level", settings.log_level]
    return tuple(words)


def config(plan: Plan, name: str) -> Mapping[str, object]:
    """No files: everything is in argv."""
    return {}


def _app(plan: Plan, name: str) -> tuple[str, bool]:
    app = plan.spec.services[name].app
    where = f"services.{name}.app"
    if app is None:
        raise SpecError("uvicorn needs the app to serve", where=where, hint='write `app: "module:name"`')
    if app.endswith("()"):
        return app[:-2], True
    if "(" in app:
        raise SpecError(f"uvicorn cannot call {app!r}: a factory takes no arguments", where=where)
    return app, False
