"""Ray: one head that holds one actor per model; other services join it as clients instead of starting their own."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.plan import Plan
from mlpack.servers.base import Admission, ServerFacts
from mlpack.spec import Spec
from mlpack.units import MIB

FACTS = ServerFacts(
    name="ray",
    role="actors",
    image=None,
    port=10001,
    url="ray://{host}:{port}",
    fork_point="never",
    preload_fork_point=None,
    has_master=True,
    chain="none",
    anonymous_bytes=380 * MIB,
    mapped_bytes=110 * MIB,
    start_s=15.0,
    health_argv=("ray", "status"),
    source="Ray 2.60 head with client server, no actors: 9 processes, 382 MiB anonymous, 460 PSS. This is the "
    "whole head, counted once; an actor adds an interpreter, libraries and models; objects live in /dev/shm",
)
HEAD_PORT = 6379
"""The head's own port (GCS); Ray's default."""


def admission(spec: Spec, name: str) -> Admission:
    """An actor runs one call at a time unless its `max_concurrency` says otherwise."""
    return Admission(natural=1, adjustable=False, enforced_by="Ray: an actor runs one call at a time")


def argv(plan: Plan, name: str) -> tuple[str, ...]:
    """``ray start --head --block ...``: cores as planned, and the object store inside the planned shared memory."""
    service = plan.services[name]
    words = ["ray", "start", "--head", "--block", "--port", str(HEAD_PORT)]
    words += ["--ray-client-server-port", str(service.port or FACTS.port)]
    words += ["--num-cpus", str(max(1, int(service.cpus.value)))]
    if service.memory.shm_bytes is not None:
        # the rest of /dev/shm is for others: Ray wants more there than its store takes
        words += ["--object-store-memory", str(service.memory.shm_bytes.value * 4 // 5)]
    return (*words, "--include-dashboard", "false", "--disable-usage-stats")


def config(plan: Plan, name: str) -> Mapping[str, object]:
    """No files: everything is in argv."""
    return {}
