"""The guide's part on Ray: who holds the models, who joins, how to look at both."""

from __future__ import annotations

from mlpack.plan import Plan
from mlpack.servers.draining import drains
from mlpack.servers.ray import head_path
from mlpack.units import show_mib


def ray_views(plan: Plan) -> list[dict[str, object]]:
    """One view for each head that runs in a container; empty for systems without Ray."""
    return [
        _view(plan, name)
        for name, service in plan.services.items()
        if service.server == "ray" and service.target == "compose"
    ]


def _view(plan: Plan, name: str) -> dict[str, object]:
    joined = [
        other
        for other, service in plan.spec.services.items()
        if any(value.of == name for value in service.env.values() if value.of is not None)
    ]
    inside = ("docker", "compose", "exec", name)
    shm = plan.services[name].memory.shm_bytes
    more = {other: plan.services[other].replicas.value + 1 for other in joined}
    return {
        "name": name,
        "joined": joined,
        "drained": [
            {"name": other, "repeatable": plan.spec.services[other].repeatable}
            for other in joined
            if drains(plan, other)
        ],
        "cut_off": [other for other in joined if not drains(plan, other)],
        "shm": show_mib(shm.value) if shm is not None else "Docker's 64 MiB",
        "top_argv": ("docker", "compose", "top", name),
        "health_argv": (*inside, "python", f"{plan.spec.root_path}/{head_path(plan, name)}", "health", "5"),
        "store_argv": (*inside, "df", "-h", "/dev/shm"),
        "logs_argv": inside,
        "scale_argvs": [
            ("docker", "compose", "up", "--detach", "--no-recreate", "--scale", f"{other}={count}", other)
            for other, count in more.items()
        ],
    }
