"""Docker Compose on one machine: what the compose file, the env files and deploy.sh say."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.plan import Plan
from mlpack.servers.paths import deploy_folder
from mlpack.servers.secrets import held_variables
from mlpack.servers.wiring import environment
from mlpack.spec import ServerName
from mlpack.targets.base import RENDERED_BY, File, Requirements, app_uid, containers
from mlpack.targets.compose_service import (
    bind_folders,
    from_project,
    model_files,
    service_view,
    volume_folder,
)
from mlpack.targets.compose_steps import add_steps, steps_s
from mlpack.targets.folders import folders_view
from mlpack.targets.gpu import gpu_files
from mlpack.targets.hub import VOLUME, hub_models, hub_variables
from mlpack.targets.images import image_of, profile_suffix
from mlpack.targets.programs import program_variables, program_volumes
from mlpack.targets.secret_files import mounted_secrets, secrets_view

SERVERS: frozenset[ServerName] = frozenset(
    {"gunicorn", "uvicorn", "celery", "ray", "redis", "postgres", "flower", "nginx", "caddy", "llama_server", "ollama"}
)
COMPOSE_AT_LEAST = "2.20.2"
"""The first Compose that knows a health check's start_interval (facts.md)."""
GPUS_SINCE = "2.30.0"
"""The first that does something with `gpus:`; an older one may read it and go on without the cards."""
ENGINE_AT_LEAST = "25.0"
"""The first engine that knows it."""


def view(plan: Plan, requirements: Requirements) -> Mapping[str, object]:
    """compose.yaml: one project per profile, one network, the services in the order of the spec."""
    spec = plan.spec
    ca = [{"name": "ca", "file": from_project(spec.build.ca)}] if spec.build.ca else []
    return {
        "header": RENDERED_BY,
        "project": project_name(plan),
        "services": add_steps(plan, [service_view(plan, name, requirements) for name in containers(plan)]),
        "folders": folders_view(plan),
        "named_volumes": named_volumes(plan),
        "secrets": [*ca, *mounted_secrets(plan)],
    }


def files(plan: Plan, requirements: Requirements) -> tuple[File, ...]:
    """compose.yaml, an env file per service, deploy.sh."""
    folder = deploy_folder(plan.profiles)
    made = [File(f"{folder}/compose.yaml", "targets/compose/compose.yaml.j2", view(plan, requirements))]
    for name in containers(plan):
        values = {"header": RENDERED_BY, "service": name, "variables": variables(plan, name)}
        made.append(File(f"{folder}/{name}.env", "targets/compose/service.env.j2", values))
    made.append(File(f"{folder}/deploy.sh", "targets/compose/deploy.sh.j2", script_view(plan), mode=0o755))
    return (*made, *gpu_files(plan))


def project_name(plan: Plan) -> str:
    """Compose's project: dev and prod on one machine must not replace each other."""
    return f"{plan.name}-{profile_suffix(plan)}"


def named_volumes(plan: Plan) -> tuple[str, ...]:
    """Volumes that the engine keeps; those with a ``path`` are folders of the project."""
    used = {volume for name in containers(plan) for volume in plan.spec.services[name].volumes}
    kept = {volume for volume in used if volume_folder(plan, volume) is None}
    fetched = {VOLUME} if any(hub_models(plan, name) for name in containers(plan)) else set()
    return tuple(sorted(kept | fetched | set(program_volumes(plan))))


def variables(plan: Plan, name: str) -> tuple[dict[str, object], ...]:
    """A service's variables as lines, each of mlpack's own with its reason; those with a secret inside are left out."""
    own, held = plan.spec.services[name].env, held_variables(plan, name)
    planned = {key: (made.value, made.because) for key, made in plan.services[name].environment.items()}
    target = hub_variables(plan, name) | proxied_variables(plan, name) | program_variables(plan, name)
    values = {key: value for key, (value, _) in target.items()} | environment(plan, name)
    reasons = {key: because for key, (_, because) in (target | planned).items() if key not in own}
    return tuple(
        {"pair": (key, value), "because": reasons.get(key, "")} for key, value in values.items() if key not in held
    )


def proxied_variables(plan: Plan, name: str) -> dict[str, tuple[str, str]]:
    """What an app has to know that stands behind a proxy of this deployment, with the reason."""
    proxied = any(service.to == name for service in plan.spec.services.values())
    if not proxied or plan.services[name].server not in ("gunicorn", "uvicorn") or plan.services[name].publish:
        return {}
    because = "only the proxy reaches this service: its word about scheme and client is taken"
    return {"FORWARDED_ALLOW_IPS": ("*", because)}


def wait_s(plan: Plan) -> int:
    """How long `up --wait` may take: steps and start periods in a row, and each last round of checks."""
    total = sum(steps_s(plan, name) for name in containers(plan))
    for service in (plan.services[name] for name in containers(plan)):
        if service.health is not None:
            health = service.health
            round_s = health.interval_s.value + health.timeout_s.value
            total += health.start_period_s.value + health.retries.value * round_s
    return max(total, 60)


def compose_at_least(plan: Plan) -> str:
    """The oldest Compose that does all that the files say."""
    return (
        GPUS_SINCE
        if any(one.gpu and one.gpu.access.value == "gpus" for one in plan.services.values())
        else COMPOSE_AT_LEAST
    )


def script_view(plan: Plan) -> Mapping[str, object]:
    """deploy.sh: what it checks and prepares before `docker compose up`."""
    return {
        "header": RENDERED_BY,
        "name": plan.name,
        "profiles": profile_suffix(plan),
        "compose_at_least": compose_at_least(plan),
        "engine_at_least": ENGINE_AT_LEAST,
        "uid": app_uid(plan),
        "wait_s": wait_s(plan),
        **secrets_view(plan),
        "models": model_files(plan),
        "folders": bind_folders(plan),
        "images": tuple(sorted({image.reference for name in containers(plan) if (image := image_of(plan, name))})),
        "memory_mib": sum(row.limit_bytes for row in plan.budget.rows) // 1024**2,
    }
