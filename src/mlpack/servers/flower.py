"""Flower: watches Celery's queue in a browser."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.plan import Plan
from mlpack.servers.asgi import listen_address
from mlpack.servers.base import Admission, Password, ServerFacts
from mlpack.spec import Spec
from mlpack.units import MIB

FACTS = ServerFacts(
    name="flower",
    role="watch",
    image="mher/flower:2.0",
    port=5555,
    url="http://{host}:{port}",
    fork_point="never",
    preload_fork_point=None,
    has_master=False,
    chain="none",
    anonymous_bytes=43 * MIB,
    mapped_bytes=13 * MIB,
    start_s=3.0,
    health_argv=None,
    # Flower shows task arguments and can revoke tasks: without a password it stays closed
    password=Password(variable="FLOWER_BASIC_AUTH", before="admin:"),
    source="Flower 2.2 with celery 5.7, Python 3.11, idle: 43 MiB anonymous, 12.4 mapped, interpreter included",
)


def admission(spec: Spec, name: str) -> Admission:
    """Tornado: one event loop, short requests."""
    return Admission(natural=1, adjustable=False, enforced_by="one event loop")


def argv(plan: Plan, name: str) -> tuple[str, ...]:
    """``celery flower``; the broker comes from CELERY_BROKER_URL, so that no password stands in argv."""
    service = plan.services[name]
    address = listen_address(service.target, plan.spec.settings.publish_host)
    return ("celery", "flower", f"--address={address}", f"--port={service.port or FACTS.port}")


def config(plan: Plan, name: str) -> Mapping[str, object]:
    """No files: everything is in argv and the environment."""
    return {}
