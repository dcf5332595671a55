"""One service of a compose file: image, limits, checks, mounts; numbers with the plan's reasons."""

from __future__ import annotations

from posixpath import normpath

from mlpack.plan import Plan
from mlpack.servers.cards import cards_module
from mlpack.servers.draining import draining_path
from mlpack.servers.heartbeat import heartbeat_path
from mlpack.servers.paths import deploy_folder, model_path, volume_path
from mlpack.servers.proxy import PLAIN_PORT, PROXY_FILES, site
from mlpack.servers.ray import FILE as RAY_FILE
from mlpack.servers.secrets import held_variables
from mlpack.servers.wiring import upstreams
from mlpack.spec import Build
from mlpack.targets.base import Requirements, containers
from mlpack.targets.conda import ARGUMENTS as CONDA_ARGS
from mlpack.targets.dockerfile import health_script
from mlpack.targets.gpu_image import image_arguments
from mlpack.targets.hub import hub_mounts
from mlpack.targets.images import Image, effective_build, image_of, profile_suffix, ready_made
from mlpack.targets.programs import health_test, listens_on, program_argv, program_mounts, program_view
from mlpack.units import KIB, MIB

UP_TO_PROJECT = "../.."
"""From deploy/<profiles>/ to the project's folder."""
FOLDERS_SERVICE = "mlpack-folders"
"""Runs once, as root and without a network, and gives data folders of the host to the containers' user."""
SECRETS = "secrets"
"""The folder beside the compose file that deploy.sh fills; never rendered, never committed."""
PASSED_ARGS = (
    *("BASE_IMAGE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "MLPACK_IGNORE_LIBRARIES"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)
"""Build arguments that are taken from the caller's environment where they are set there."""


def service_view(plan: Plan, name: str, requirements: Requirements) -> dict[str, object]:  # noqa: ARG001
    """Everything compose.yaml says about service ``name``."""
    service, settings = plan.services[name], plan.spec.settings
    image = image_of(plan, name)
    first = image is not None and image.services[0] == name
    return {
        "name": name,
        "image": image_name(plan, name),
        "build": _build(plan, name, image),
        "pull": "never" if image else "missing",
        "command": None if first else program_argv(plan, name),
        "env_files": env_files(plan, name),
        "ports": _ports(plan, name),
        "cpus": f"{service.cpus.value:g}",
        "memory": _size(service.memory.limit_bytes.value),
        "reservation": _size(service.memory.reservation_bytes.value),
        "shm": _size(service.memory.shm_bytes.value) if service.memory.shm_bytes else None,
        "pids": service.pids.value,
        "replicas": service.replicas.value if service.replicas.value > 1 else None,
        "plan": service,
        "memory_reason": service.memory.limit_bytes.because,
        "read_only": settings.read_only,
        **program_view(plan, name),
        "tmpfs": f"/tmp:mode=1777,size={service.memory.tmp_bytes.value // MIB}m",
        "restart": settings.restart,
        "log_size": f"{settings.log_max_bytes // KIB}k",
        "log_files": str(settings.log_files),
        "health": _health(plan, name),
        "stop_grace": f"{service.times.stop_grace_s.value}s",
        "mounts": mounts(plan, name),
        "after": [
            {"name": other, "condition": "service_healthy" if _health(plan, other) else "service_started"}
            for other in upstreams(plan, name)
            if other in containers(plan)
        ]
        + _after_folders(plan, name),
        "environment": None,
        "labels": {
            "org.mlpack.project": plan.name,
            "org.mlpack.profiles": profile_suffix(plan),
            "org.mlpack.service": name,
        },
    }


def _size(count: int) -> str:
    """Bytes as compose reads them: whole MiB where they are, as planned limits are; a user's odd limit exactly."""
    return f"{count // MIB}M" if count % MIB == 0 else f"{count}b"


def image_name(plan: Plan, name: str) -> str:
    """The image that service ``name`` runs: built from ours, the user's, or the program's official one."""
    image = image_of(plan, name)
    if image is not None:
        return image.reference
    given = plan.spec.services[name].image or ready_made(plan, name)
    return given or f"{plan.name}-{name}:{profile_suffix(plan)}"


def env_files(plan: Plan, name: str) -> tuple[str, ...]:
    """The rendered variables, then those with secrets in them, which deploy.sh makes with mode 0600."""
    return (f"{name}.env", *((f"{SECRETS}/{name}.env",) if held_variables(plan, name) else ()))


def from_project(path: str) -> str:
    """A path of the project as the compose file names it; absolute ones stay."""
    return path if path.startswith("/") else normpath(f"{UP_TO_PROJECT}/{path}")


def mounts(plan: Plan, name: str) -> list[dict[str, object]]:
    """Models read-only, volumes read-write, in dev the source itself. Only data folders are made where missing."""
    spec, service = plan.spec, plan.spec.services[name]
    found: list[dict[str, object]] = []
    if spec.settings.reload:
        # read-write, so that the engine can make the mount points inside; the uid may not write to it anyway
        found.append({"type": "bind", "source": UP_TO_PROJECT, "target": spec.root_path, "read_only": False})
    for model in service.models:
        path = spec.models[model].path
        if path is not None:
            bind = {"type": "bind", "source": from_project(path), "target": model_path(spec, model), "read_only": True}
            found.append(bind)
    for volume in service.volumes:
        folder, target = volume_folder(plan, volume), volume_path(spec, volume)
        if folder is None:
            found.append({"type": "volume", "source": volume, "target": target, "read_only": False})
        else:
            # made where missing, and given to the containers' user by the service `folders`
            bind = {"type": "bind", "source": from_project(folder), "target": target, "read_only": False}
            found.append(bind | {"create": True})
    found += hub_mounts(plan, name) + program_mounts(plan, name)
    if image_of(plan, name) is None and ready_made(plan, name) is None:
        found += _rendered_files(plan, name)
    return [{"create": False} | mount | {"bind": mount["type"] == "bind"} for mount in found]


def volume_folder(plan: Plan, volume: str) -> str | None:
    """The folder of the host that volume ``volume`` is; None where the engine keeps it.

    What units of the host use as well lies at the same path on both sides, so that paths may be passed between them.
    """
    users = {service.target for name, service in plan.services.items() if volume in plan.spec.services[name].volumes}
    return volume_path(plan.spec, volume) if "systemd" in users else plan.spec.volumes[volume].path


def model_files(plan: Plan) -> tuple[str, ...]:
    """Weights that must be there before anything starts, as compose.yaml names them."""
    used = {model for name in containers(plan) for model in plan.spec.services[name].models}
    paths = {plan.spec.models[model].path for model in used}
    return tuple(sorted(from_project(path) for path in paths if path is not None))


def bind_folders(plan: Plan) -> tuple[str, ...]:
    """Folders of the host that services of our own images write to, as compose.yaml names them."""
    ours = [name for name in containers(plan) if image_of(plan, name) is not None]
    used = {volume for name in ours for volume in plan.spec.services[name].volumes}
    paths = {volume_folder(plan, volume) for volume in used}
    return tuple(sorted(from_project(path) for path in paths if path is not None))


def _after_folders(plan: Plan, name: str) -> list[dict[str, str]]:
    waits = image_of(plan, name) is not None and any(mount["create"] for mount in mounts(plan, name))
    return [{"name": FOLDERS_SERVICE, "condition": "service_completed_successfully"}] if waits else []


def _build(plan: Plan, name: str, image: Image | None) -> dict[str, object] | None:
    build: Build = image.build if image else effective_build(plan, name)
    if plan.spec.services[name].image is not None or ready_made(plan, name) is not None:
        return None
    if image is not None and image.services[0] != name:
        return None  # the first service of the image builds it
    args: dict[str, object] = dict.fromkeys(PASSED_ARGS) if image else {}
    if image and image.build.conda is not None:
        args |= dict.fromkeys(CONDA_ARGS)
    args |= dict.fromkeys(image_arguments(plan, image)) if image else {}
    if build.index is not None:
        args["PIP_INDEX_URL"] = build.index
    return {
        "context": from_project(build.context),
        "dockerfile": image.dockerfile if image else build.dockerfile,
        "args": args,
        "wheels": from_project(build.wheelhouse) if image and build.wheelhouse else None,
        "ca": build.ca is not None,
        "platform": build.platform,
    }


def _rendered_files(plan: Plan, name: str) -> list[dict[str, object]]:
    """For images of the user's own: settings and health check are mounted where argv expects them."""
    folder, root = deploy_folder(plan.profiles), plan.spec.root_path
    beats = heartbeat_path(plan, name)
    rendered = [beats.removeprefix(f"{folder}/")] if beats else ["healthcheck.py"] if _health(plan, name) else []
    rendered += [f"{name}.{RAY_FILE}"] if plan.services[name].server == "ray" else []
    rendered += [f"{module}.py"] if (module := cards_module(plan, name)) else []
    rendered += [path.removeprefix(f"{folder}/")] if (path := draining_path(plan, name)) else []
    rendered += [f"{name}.gunicorn.conf.py"] if plan.services[name].server == "gunicorn" else []
    return [
        {"type": "bind", "source": f"./{file}", "target": f"{root}/{folder}/{file}", "read_only": True}
        for file in rendered
    ]


def _ports(plan: Plan, name: str) -> list[dict[str, object]]:
    service = plan.services[name]
    if service.port is None or service.publish is None:
        return []
    host = listens_on(plan, name)
    found = [{"target": service.port, "published": str(service.publish), "host": host}]
    if service.server in PROXY_FILES and site(plan, name).redirects:
        found.append({"target": PLAIN_PORT, "published": str(PLAIN_PORT), "host": host})
    return found


def _health(plan: Plan, name: str) -> dict[str, object] | None:
    service = plan.services[name]
    health = service.health
    script = health_script(plan)
    if health is None:
        return None
    test = health_test(plan, name)
    if health.path is not None and script is not None and service.port is not None and ready_made(plan, name) is None:
        # half a second before the engine gives up, so that the reason is on record
        patience = f"{health.timeout_s.value - 0.5:g}"
        test = ["CMD", "python", "-I", "-S", script, str(service.port), health.path, patience]
    if test is None:
        return None
    return {
        "test": test,
        "interval": f"{health.interval_s.value}s",
        "timeout": f"{health.timeout_s.value}s",
        "retries": health.retries.value,
        "start_period": f"{health.start_period_s.value}s",
        "start_interval": f"{health.start_interval_s.value}s",
        "start_because": health.start_period_s.because,
    }
