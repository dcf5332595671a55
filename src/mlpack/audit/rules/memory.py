"""Memory: limits against workers x footprint, their sum against the machine, swap, shared memory, Celery's limit."""

from __future__ import annotations

from collections.abc import Iterator

from mlpack.audit.deployment import Deployment, Service
from mlpack.audit.finding import Hit, Rule
from mlpack.runtimes.measured import measured
from mlpack.units import KIB, MIB, ceil_mib, counted, show_mib

TIGHT_BYTES = 256 * MIB
"""Left per worker for weights and requests: a model of 60 million float32 parameters takes it alone."""
_HEAVY = frozenset(["torch", "transformers", "tensorflow"])
BARE_APP_BYTES = 30 * MIB
"""Below what any web framework holds after import; FastAPI and Flask were measured at 30 to 60 MiB."""


def need(service: Service, *, likely: bool = False) -> tuple[int, str]:
    """The bytes that the service's processes hold once its models are loaded, and the sum in words: the least, or,
    where ``likely``, with every copy of the weights that an estimate counts (a loader may map the file instead)."""
    rows = measured().model_dump()
    names = [name for name in service.runtimes if name in rows]
    imports = max((round(rows[name]["anonymous_mib"] * MIB) for name in names), default=0)
    weights = sum(model.bytes if likely else model.lower_bytes for model in service.models)
    if service.program.kind in ("ollama", "llama-server") or not names:
        return 0, ""
    preloaded = service.program.kind == "gunicorn" and "preload" in service.program.options
    workers = 1 if preloaded else service.workers
    said = f"{counted(workers, 'process')} x ({show_mib(imports)} for {' and '.join(names)}".replace(
        "processs", "processes"
    )
    said += f" + {show_mib(weights)} for {counted(len(service.models), 'model')})" if weights else ")"
    return workers * (imports + weights), said


def limit_below_workers(deployment: Deployment) -> Iterator[Hit]:
    """A limit that is below what the workers hold before the first request."""
    for service in deployment.services:
        least, said = need(service)
        surely = service.memory_bytes is not None and least > service.memory_bytes
        if not surely:
            least, said = need(service, likely=True)
        if service.memory is None or service.memory_bytes is None or least <= service.memory_bytes:
            continue
        wanted = f"{ceil_mib(least * 1.25) // MIB}M"
        places = "MemoryMax" if service.is_unit else "memory"
        yield Hit(
            service.memory.place,
            service.name,
            f"{places}: {service.memory.text}",
            f"{places}: {wanted} or more, or fewer workers",
            f"{said} are {show_mib(least)} before the first request; requests come on top",
            severity="error" if surely else "warning",
            change=_limited(service, wanted) | {"memswap_limit": wanted},
        )


def _limited(service: Service, wanted: str) -> dict[str, object]:
    """The limit ``wanted`` in the key that the service's own file uses."""
    return {"mem_limit": wanted} if service.plain_limit else {"deploy": {"resources": {"limits": {"memory": wanted}}}}


def limit_tight(deployment: Deployment) -> Iterator[Hit]:
    """Several workers, each with models of its own, under a limit whose rest per worker is small, weights unknown."""
    for service in deployment.services:
        least, said = need(service)
        if not service.memory or not service.memory_bytes or service.workers < 2 or service.models or not least:
            continue
        if _HEAVY.isdisjoint(service.runtimes):
            continue
        rest = (service.memory_bytes - least) // service.workers
        if 0 <= rest < TIGHT_BYTES and "preload" not in service.program.options:
            yield Hit(
                service.memory.place,
                service.name,
                f"memory: {service.memory.text} for {service.workers} workers",
                "fewer workers or more memory; `mlpack estimate FILE` says what a model needs",
                f"{said} leave {show_mib(rest)} per worker for weights and requests, and every worker loads its own "
                "copy of every model; no model file was in reach to say more",
            )


def limits_above_host(deployment: Deployment) -> Iterator[Hit]:
    """Containers' limits together above the memory of the machine, or of the engine's virtual machine."""
    host = deployment.host
    if host is None:
        return
    engine = host.engine if host.engine is not None and host.engine.virtual_machine else None
    has = engine.memory_bytes if engine else host.memory_bytes
    limited = [one for one in deployment.services if one.memory_bytes is not None]
    total = sum((one.memory_bytes or 0) * one.replicas for one in limited)
    if total > has and limited:
        largest = max(limited, key=lambda one: (one.memory_bytes or 0) * one.replicas)
        parts = " + ".join(
            f"{one.name} {f'{one.replicas} x ' if one.replicas > 1 else ''}{show_mib(one.memory_bytes or 0)}"
            for one in limited
        )
        assert largest.memory is not None
        yield Hit(
            largest.memory.place,
            largest.name,
            f"limits add up to {show_mib(total)}",
            f"limits that add up to less than {show_mib(has)}",
            f"{parts}; {deployment.host_name or 'the machine'} has {show_mib(has)}"
            f"{' (the virtual machine of its engine)' if engine else ''}: "
            "the kernel picks a victim before any limit is met",
        )


def reservation_above_limit(deployment: Deployment) -> Iterator[Hit]:
    """More reserved than allowed."""
    for one in deployment.services:
        if one.memory and one.memory_bytes and one.reserved_bytes and one.reserved_bytes > one.memory_bytes:
            yield Hit(
                one.memory.place,
                one.name,
                f"reservation {show_mib(one.reserved_bytes)} above limit {show_mib(one.memory_bytes)}",
                "a reservation below the limit",
                "the engine refuses to create the container",
            )


def limit_missing(deployment: Deployment) -> Iterator[Hit]:
    """A program that runs models without a limit."""
    for one in deployment.services:
        if one.memory is None and (one.runtimes or one.program.kind in ("ollama", "llama-server")):
            least, _ = need(one)
            wanted = f"{ceil_mib(max(least * 1.5, 512 * MIB)) // MIB}M"
            yield Hit(
                one.place,
                one.name,
                "no memory limit",
                "MemoryMax=" if one.is_unit else "deploy.resources.limits.memory",
                "without one a single large request takes the machine down, not one container; "
                "`mlpack estimate --measure` finds the number",
                change={"deploy": {"resources": {"limits": {"memory": wanted}}}} if least and not one.is_unit else {},
            )


def swap_unbounded(deployment: Deployment) -> Iterator[Hit]:
    """A limit without a swap limit."""
    for one in deployment.services:
        unbounded = one.swap is None and not one.is_unit
        if one.memory and (unbounded or (one.is_unit and "MemorySwapMax" not in one.unit)):
            after = "MemorySwapMax=0" if one.is_unit else f"memswap_limit: {one.memory.text}"
            yield Hit(
                one.memory.place,
                one.name,
                f"memory {one.memory.text}, swap not limited",
                after,
                "where the machine has swap, as much again is swapped out: thrashing replaces a clear kill",
                change={} if one.is_unit else {"memswap_limit": one.memory.text},
            )


def shm_default(deployment: Deployment) -> Iterator[Hit]:
    """Ray in a container with 64 MiB of /dev/shm."""
    for one in deployment.services:
        has_ray = one.program.kind == "ray" or ("ray" in one.libraries and bool(deployment.code.ray_inits))
        memory = any(target == "/dev/shm" for _, target, _ in one.volumes)
        if has_ray and one.shm is None and not one.is_unit and not memory and "RAY_ADDRESS" not in one.environment:
            yield Hit(
                one.place,
                one.name,
                "shm_size not set: 64 MiB",
                "shm_size: 1g, inside the memory limit",
                "Ray keeps objects in /dev/shm; with 64 MiB it falls back to the disk, or stores fail",
                change={"shm_size": "1g"},
            )


def child_limit(deployment: Deployment) -> Iterator[Hit]:
    """Celery's max-memory-per-child against what a child holds anyway and against the container's limit."""
    for one in deployment.services:
        said, kib = one.program.options.get("max-memory-per-child"), one.program.number("max-memory-per-child")
        if one.program.kind != "celery" or said is None or kib is None:
            continue
        least = max(need(one)[0] // one.workers, BARE_APP_BYTES)
        if kib * KIB < least:
            yield Hit(
                said.place,
                one.name,
                f"--max-memory-per-child {said.text} ({show_mib(round(kib * KIB))})",
                f"above {show_mib(least)}, in KiB: {2 * least // KIB}",
                "the unit is KiB and the peak counts: below what a child holds anyway, every task ends in a new child "
                "that loads everything again",
                severity="error",
            )
        # Each child counts what all share since the fork, and not all grow at once: half as much again is let pass.
        elif one.memory_bytes and kib * KIB * one.workers > 1.5 * one.memory_bytes:
            yield Hit(
                said.place,
                one.name,
                f"--max-memory-per-child {said.text} KiB x {one.workers} children",
                f"at most {one.memory_bytes // one.workers // KIB}, or a higher memory limit",
                "it is looked at after a task only: the kernel kills in the middle of one before it ever applies",
            )


FACTS = "docs/facts.md"
RULES = (
    Rule(
        "limit-below-workers",
        "error",
        "Memory limit below what the workers hold",
        "docs/memory.md",
        limit_below_workers,
    ),
    Rule("limit-tight", "warning", "Little memory left per worker", "docs/memory.md", limit_tight),
    Rule(
        "limits-above-host",
        "error",
        "Limits add up to more than the machine has",
        FACTS + ", Docker",
        limits_above_host,
    ),
    Rule(
        "reservation-above-limit",
        "error",
        "Reservation above the limit",
        "Docker: resource constraints",
        reservation_above_limit,
    ),
    Rule("limit-missing", "note", "No memory limit", FACTS + ", Docker", limit_missing),
    Rule("swap-unbounded", "note", "Swap is not limited", FACTS + ", Docker", swap_unbounded),
    Rule("shm-default", "warning", "/dev/shm too small for Ray", FACTS + ", Docker", shm_default),
    Rule("child-limit", "warning", "Celery's memory limit per child", FACTS + ", Celery", child_limit),
)
