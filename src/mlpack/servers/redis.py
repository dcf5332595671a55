"""Redis: the queue between web and workers."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.plan import Plan
from mlpack.servers.base import Admission, Password, ServerFacts
from mlpack.spec import Spec
from mlpack.units import MIB

DATA_BYTES = 64 * MIB
"""`maxmemory`: room for queued messages, which are small (uploads belong in volumes). noeviction: a full queue says
so to its producers instead of dropping tasks."""
FACTS = ServerFacts(
    name="redis",
    role="broker",
    image="redis:7-alpine",
    port=6379,
    url="redis://{host}:{port}/0",
    fork_point="never",
    preload_fork_point=None,
    has_master=False,
    chain="none",
    anonymous_bytes=3 * MIB + DATA_BYTES * 3 // 2,
    mapped_bytes=5 * MIB,
    start_s=1.0,
    health_argv=("redis-cli", "ping"),
    # redis-cli reads this variable, and the container's command hands it on to the server by standard input
    password=Password(variable="REDISCLI_AUTH", url="redis://:{password}@{host}:{port}/0"),
    source="Redis 7.0 (Debian 12), empty: 2.6 MiB anonymous, 6.7 resident; plus the data it may hold, and half of "
    "it again for the pages that change while a fork rewrites the append-only file",
)


def admission(spec: Spec, name: str) -> Admission:
    """One thread executes commands, one after the other."""
    return Admission(natural=1, adjustable=False, enforced_by="Redis runs one command at a time")


def argv(plan: Plan, name: str) -> tuple[str, ...]:
    """``redis-server`` with an append-only file. Sizes are `mb`: Redis reads a bare `m` as 10^6."""
    words = ["redis-server", "--port", str(plan.services[name].port or FACTS.port)]
    if plan.services[name].target == "systemd":
        words += ["--bind", "127.0.0.1"]  # a host's programs reach it there; a container has a network of its own
    words += ["--maxmemory", f"{DATA_BYTES // MIB}mb", "--maxmemory-policy", "noeviction"]
    return (*words, "--appendonly", "yes")


def config(plan: Plan, name: str) -> Mapping[str, object]:
    """No files: everything is in argv."""
    return {}
