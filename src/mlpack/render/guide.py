"""DEPLOYMENT.md: the plan told to whoever runs it: needs, sums, commands, and what to do when it fails."""

from __future__ import annotations

from collections.abc import Sequence

from mlpack.plan import CardRow, Decided, Plan, ServicePlan, Term
from mlpack.render.guide_address import EVERY_ADDRESS, domain, published_ports, url
from mlpack.render.guide_machine import machine_view
from mlpack.render.guide_ray import ray_views
from mlpack.servers import SERVERS
from mlpack.servers.paths import deploy_folder, model_path, volume_path
from mlpack.targets.base import app_uid
from mlpack.targets.compose import ENGINE_AT_LEAST, compose_at_least, project_name, wait_s
from mlpack.targets.compose_service import SECRETS
from mlpack.targets.compose_steps import step_names
from mlpack.targets.hub import hub_models
from mlpack.targets.images import images, profile_suffix
from mlpack.targets.secret_files import secret_names
from mlpack.units import show_bytes, show_duration, show_mib


def guide_view(plan: Plan) -> dict[str, object]:
    """Everything the guide says, as text: sizes with their units, paths, command words."""
    folder = deploy_folder(plan.profiles)
    return {
        "name": plan.name,
        "profiles": profile_suffix(plan),
        "render_argv": ("mlpack", "render", *plan.profiles),
        "reprobe_argv": ("mlpack", "render", *plan.profiles, "--reprobe"),
        "verify_argv": ("mlpack", "verify", *plan.profiles),
        "up_argv": ("mlpack", "up", *plan.profiles),
        "folder": folder,
        "script": f"./{folder}/deploy.sh",
        "up_script": f"./{folder}/deploy.sh up",
        "secrets_script": f"./{folder}/deploy.sh secrets",
        "project": project_name(plan),
        "engine_at_least": ENGINE_AT_LEAST,
        "compose_at_least": compose_at_least(plan),
        "wait_plain": str(wait_s(plan)),
        "uid": str(app_uid(plan)),
        "machine": machine_view(plan),
        "images": [_image(image.reference) for image in images(plan)],
        "tensorflow": any("tensorflow" in service.runtimes for service in plan.services.values()),
        "published": published_ports(plan),
        "max_bodies": [
            {"name": name, "size": show_bytes(service.max_body_bytes)}
            for name, service in plan.spec.services.items()
            if service.max_body_bytes
        ],
        "kept_folders": [volume.path for volume in plan.spec.volumes.values() if volume.path],
        "kept_volumes": [
            {"name": name, "full": f"{project_name(plan)}_{name}"}
            for name, volume in plan.spec.volumes.items()
            if not volume.path
        ],
        "limits": show_mib(plan.budget.used_bytes),
        "usable": show_mib(plan.budget.usable_bytes.value),
        "usable_because": plan.budget.usable_bytes.because,
        "cores": f"{plan.budget.cores.value:g}",
        "cards": [_card(row) for row in plan.budget.cards],
        "cards_argv": " ".join(("mlpack", "render", *plan.profiles, "--reprobe")),
        "rows": [_budget_row(plan, row.service) for row in plan.budget.rows],
        "services": [_service(plan, name) for name in plan.services],
        "models": [_model(plan, name) for name in plan.spec.models],
        "volumes": [
            {"name": name, "at": volume_path(plan.spec, name), "folder": volume.path}
            for name, volume in plan.spec.volumes.items()
        ],
        "secrets": secret_names(plan),
        "secrets_folder": f"{folder}/{SECRETS}",
        "from_hub": any(hub_models(plan, name) for name in plan.services),
        "steps": [step for name in plan.services for step in step_names(plan, name)],
        "several": [
            ("docker", "compose", "exec", name)
            for name, service in plan.services.items()
            if service.workers.value > 1 and SERVERS[service.server].FACTS.role == "app"
        ],
        "any_checked": any(service.health is not None for service in plan.services.values()),
        "rays": ray_views(plan),
        "findings": [finding.message for finding in plan.findings],
    }


def _image(reference: str) -> dict[str, object]:
    return {
        "reference": reference,
        "size_argv": ("docker", "image", "inspect", "--format", "{{.Size}}", reference),
        "layers_argv": ("docker", "history", "--no-trunc", "--format", "{{.Size}} {{.CreatedBy}}", reference),
        "inside_argv": ("docker", "run", "--rm", "--network", "none", "--entrypoint", "sh", reference),
    }


def _card(row: CardRow) -> dict[str, object]:
    return {
        "name": row.name,
        "card": row.card,
        "services": ", ".join(row.services),
        "planned": show_mib(row.used_bytes),
        "usable": show_mib(row.usable_bytes),
    }


def _budget_row(plan: Plan, name: str) -> dict[str, str]:
    row = next(row for row in plan.budget.rows if row.service == name)
    each = plan.services[name].memory.limit_bytes.value
    return {
        "name": name,
        "replicas": str(row.replicas),
        "each": show_mib(each),
        "total": show_mib(row.limit_bytes),
        "cpus": f"{plan.services[name].cpus.value:g}",
    }


def _service(plan: Plan, name: str) -> dict[str, object]:
    service = plan.services[name]
    memory = service.memory
    decisions: dict[str, Decided[int] | Decided[bool]] = {
        "workers": service.workers,
        "library threads per worker": service.threads,
        "requests at once per worker": service.concurrency,
        "load before the fork": service.preload,
    }
    return {
        "name": name,
        "decisions": [_decision(label, str(made.value), made.because) for label, made in decisions.items()],
        "enforced_by": service.enforced_by,
        "load_terms": _terms(memory.load_terms),
        "load": show_mib(memory.load_bytes),
        "serve_terms": _terms(memory.serve_terms),
        "serve": show_mib(memory.serve_bytes),
        "limit": show_mib(memory.limit_bytes.value),
        "limit_because": memory.limit_bytes.because,
        "source": service.footprint_source,
        "times": _times(service),
        "url": url(plan, name),
        "domain": domain(plan, name),
        "own_certificate": f"{name}.crt" in secret_names(plan),
        "open": service.publish is not None and plan.spec.settings.publish_host in EVERY_ADDRESS,
        "health_url": url(plan, name, service.health.path) if service.health and service.health.path else None,
        "checked": service.health is not None,
        "log_argv": ("docker", "compose", "logs", "--tail", "100", name),
        "restart_argv": ("docker", "compose", "restart", name),
        "exec_argv": ("docker", "compose", "exec", name),
    }


def _decision(label: str, value: str, because: str) -> dict[str, str]:
    return {"label": label, "value": {"True": "yes", "False": "no"}.get(value, value), "because": because}


def _terms(terms: Sequence[Term]) -> list[dict[str, str]]:
    return [
        {
            "name": term.name,
            "each": show_mib(term.each_bytes),
            "count": str(term.count),
            "total": show_mib(term.total_bytes),
            "source": term.source,
        }
        for term in terms
    ]


def _times(service: ServicePlan) -> list[dict[str, str]]:
    times = service.times
    planned: dict[str, Decided[int] | Decided[float] | None] = {
        "one request, expected at most (what comes in later waits)": times.request_s,
        "the worker's own limit": times.worker_s,
        "a task, until it is told to end (soft)": times.soft_s,
        "a task, until its process is killed (hard)": times.hard_s,
        "a task that nobody has ended, until it is handed out again": times.redelivery_s,
        "the start of a process in place of another": times.child_start_s,
        "the end of running requests after a stop": times.graceful_s,
        "stop, then kill": times.stop_grace_s,
        "start, until failed checks count": service.health.start_period_s if service.health else None,
    }
    return [
        _decision(label, show_duration(made.value), made.because) for label, made in planned.items() if made is not None
    ]


def _model(plan: Plan, name: str) -> dict[str, str]:
    model = plan.spec.models[name]
    at = model_path(plan.spec, name)
    return {"name": name, "path": model.path or model.hub or "", "at": at, "input": _largest_input(plan, name)}


def _largest_input(plan: Plan, name: str) -> str:
    largest = plan.spec.models[name].max_input
    if largest is None:
        return "not stated"
    parts = [f"batch {largest.batch}"]
    if largest.tokens is not None:
        parts.append(f"{largest.tokens} tokens")
    if largest.shape is not None:
        parts.append(" x ".join(map(str, largest.shape)))
    return ", ".join(parts)
