"""PostgreSQL: the database; one process per connection around shared buffers."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.plan import Plan
from mlpack.servers.base import Admission, Password, ServerFacts
from mlpack.spec import Spec
from mlpack.units import MIB

SHARED_BUFFERS_BYTES = 128 * MIB
"""PostgreSQL's own default, written down because the memory sum needs it."""
MAX_CONNECTIONS = 50
"""Half of PostgreSQL's default: each connection is a process."""
CONNECTION_BYTES = 5 * MIB
"""A connection's private memory: 2.5 MiB idle (measured on its background processes), plus work_mem (4 MB by default)
for some. A guess for the mean."""

FACTS = ServerFacts(
    name="postgres",
    role="database",
    image="postgres:17-alpine",
    port=5432,
    url="postgresql://postgres@{host}:{port}/postgres",
    fork_point="never",
    preload_fork_point=None,
    has_master=True,
    chain="none",
    anonymous_bytes=15 * MIB + SHARED_BUFFERS_BYTES + MAX_CONNECTIONS * CONNECTION_BYTES,
    mapped_bytes=20 * MIB,
    start_s=5.0,
    # by TCP: while the data folder is being made, the image's temporary server answers on its socket only
    health_argv=("pg_isready", "--host", "127.0.0.1", "--username", "postgres"),
    password=Password(
        variable="POSTGRES_PASSWORD_FILE",
        in_file=True,
        url="postgresql://postgres:{password}@{host}:{port}/postgres",
    ),
    source="PostgreSQL 15 (Debian 12), idle: 6 processes, 14.6 MiB anonymous together, 12 of shared memory touched; "
    "plus shared buffers and all connections",
)


def admission(spec: Spec, name: str) -> Admission:
    """`max_connections` bounds the processes; this plan counts one request per connection."""
    return Admission(natural=MAX_CONNECTIONS, adjustable=False, enforced_by="max_connections")


def argv(plan: Plan, name: str) -> tuple[str, ...]:
    """``postgres -c ...``: the numbers the memory sum counts with."""
    words = ["postgres", "-c", f"shared_buffers={SHARED_BUFFERS_BYTES // MIB}MB"]
    words += ["-c", f"max_connections={MAX_CONNECTIONS}"]
    return (*words, "-c", f"port={plan.services[name].port or FACTS.port}")


def config(plan: Plan, name: str) -> Mapping[str, object]:
    """No files: everything is in argv."""
    return {}
