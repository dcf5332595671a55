"""Why each setting of a server's file is what it is: the plan's reasons, and those that hold for every project."""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.plan import Plan
from mlpack.servers import gunicorn

GUNICORN_REASONS = {
    "worker_class": "sync: its timeout bounds a request; gthread: a fixed number of requests at once; asgi: async apps",
    "keepalive": "longer than a proxy's pause between requests, short enough not to hold workers",
    "worker_tmp_dir": "heartbeats in memory: on a slow disk they can look like a hung worker",
    "control_socket_disable": "nothing here talks to it, and the root file system is read-only",
    "accesslog": "to standard output, where the engine rotates it",
}


@dataclass(frozen=True)
class Setting:
    """One line of a settings file."""

    name: str
    value: object
    because: str = ""


def gunicorn_settings(plan: Plan, name: str) -> tuple[Setting, ...]:
    """The lines of ``<service>.gunicorn.conf.py``, each planned number with the plan's own reason."""
    service = plan.services[name]
    reasons = GUNICORN_REASONS | {
        "workers": service.workers.because,
        "threads": f"requests at once per worker: {service.concurrency.because}",
        "preload_app": service.preload.because,
        "max_requests": service.recycle.because if service.recycle else "",
        "max_requests_jitter": service.recycle_jitter.because if service.recycle_jitter else "",
        "timeout": (service.times.worker_s or service.times.graceful_s).because,
        "graceful_timeout": service.times.graceful_s.because,
    }
    return tuple(Setting(key, value, reasons.get(key, "")) for key, value in gunicorn.config(plan, name).items())
