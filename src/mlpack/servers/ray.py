"""Ray: one head that holds one actor per model; other services join it as clients instead of starting their own."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.servers.base import Admission, ServerFacts
from mlpack.servers.paths import deploy_folder
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
    client_bytes=72 * MIB,
    health_argv=("python", "ray_head.py", "health"),
    source="Ray 2.60 head with client server, no actors: 9 processes, 382 MiB anonymous, 460 PSS. This is the "
    "whole head, counted once; an actor adds an interpreter, libraries and models; objects live in /dev/shm. Each "
    "client has a process in the head: 58-70 MiB anonymous and its kernel pages, for 30 s after the client has died",
)
HEAD_PORT = 6379
"""The head's own port (GCS); Ray's default."""
HEALTH_PORT = 8266
"""Where the head's script answers the health check, on loopback only; beside the dashboard's customary port."""
FILE = "ray_head.py"
STORE_SHARE = 0.8
"""Of the shared memory; the rest is for others: Ray warns of a store that takes all of /dev/shm."""
LEAST_STORE_BYTES = 75 * MIB
"""`ray start` refuses less (OBJECT_STORE_MINIMUM_MEMORY_BYTES in ray/_private/ray_constants.py)."""
ANSWER_SHARE = 0.7
"""Of the health check's own patience: the script must answer before it is given up on."""
VARIABLES: dict[str, tuple[str, str]] = {
    "RAY_memory_monitor_refresh_ms": (
        "0",
        "the planned limit is what bounds memory: Ray would kill actors at 95 % of it",
    ),
    "RAY_ROTATION_MAX_BYTES": (str(MIB), "Ray's logs are in /tmp, which is memory; by default each grows to 512 MiB"),
    "RAY_ROTATION_BACKUP_COUNT": ("1", "one older log of each process, not five"),
    "GRPC_ENABLE_FORK_SUPPORT": (
        "0",
        "the head starts a process for each client by fork and exec; gRPC's fork handlers break one start in six",
    ),
}
"""Variable -> value and reason. RAY_ ones are read by Ray 2.60 (ray/_private/node.py, ray_config_def.h), the last by
gRPC, whose doc/fork_support.md has it for programs that always exec after a fork. Ray's issue 63202: four clients that
joined at once, again and again, failed 13 times in 71, and 0 in 56 with it."""


def admission(spec: Spec, name: str) -> Admission:
    """An actor runs one call at a time unless its `max_concurrency` says otherwise."""
    return Admission(natural=1, adjustable=False, enforced_by="Ray: an actor runs one call at a time")


def argv(plan: Plan, name: str) -> tuple[str, ...]:
    """The rendered script: it starts the head and makes the actors. Raises SpecError without an app."""
    if plan.spec.services[name].app is None:
        hint = 'write `app: "actors:deploy"`: a function that makes the actors and returns their handles'
        raise SpecError("ray needs the function that makes the actors", where=f"services.{name}.app", hint=hint)
    return ("python", f"{plan.spec.root_path}/{head_path(plan, name)}")


def start_argv(plan: Plan, name: str) -> tuple[str, ...]:
    """``ray start --head --block ...``: cores as planned, and the object store inside the planned shared memory."""
    service = plan.services[name]
    words = ["ray", "start", "--head", "--block", "--port", str(HEAD_PORT)]
    words += ["--ray-client-server-port", str(service.port or FACTS.port)]
    words += ["--num-cpus", str(max(1, int(service.cpus.value)))]
    if service.memory.shm_bytes is not None:
        store = max(LEAST_STORE_BYTES, int(service.memory.shm_bytes.value * STORE_SHARE))
        words += ["--object-store-memory", str(store)]
    return (*words, "--include-dashboard", "false", "--disable-usage-stats")


def config(plan: Plan, name: str) -> Mapping[str, object]:
    """Values of the head's script."""
    service = plan.services[name]
    patience_s = service.health.timeout_s.value if service.health is not None else 5
    return {
        "app": plan.spec.services[name].app or "",
        "namespace": plan.name,
        "start": start_argv(plan, name),
        "gcs": f"127.0.0.1:{HEAD_PORT}",
        "client_port": service.port or FACTS.port,
        "health_port": HEALTH_PORT,
        "answer_s": round(ANSWER_SHARE * patience_s, 1),
        "grace_s": max(1, service.times.stop_grace_s.value - 2),
    }


def head_path(plan: Plan, name: str) -> str:
    """The head's script, relative to the project: ``deploy/prod/ray.ray_head.py``."""
    return f"{deploy_folder(plan.profiles)}/{name}.{FILE}"
