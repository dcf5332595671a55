"""The values of a rendered Dockerfile and of the ignore file beside it."""

from __future__ import annotations

from posixpath import basename

from mlpack.plan import Plan
from mlpack.servers import SERVERS
from mlpack.servers.cards import cards_path
from mlpack.servers.draining import draining_path
from mlpack.servers.gunicorn import config_path
from mlpack.servers.heartbeat import heartbeat_path
from mlpack.servers.paths import deploy_folder, model_path, volume_path
from mlpack.servers.ray import head_path
from mlpack.targets import conda
from mlpack.targets.base import RENDERED_BY, File, Requirements, app_uid
from mlpack.targets.gpu_image import cuda_values
from mlpack.targets.hub import hub_folders
from mlpack.targets.images import Image, base_image, extra_index, images, ready_made, requirement_files

VENV = "/opt/venv"
STOP_SIGNAL = "SIGTERM"
"""A graceful end for gunicorn and uvicorn alike (gunicorn's SIGQUIT and SIGINT cut requests off)."""
NEVER_COPIED = (
    *(".git", ".github", ".gitignore", ".venv", "venv", ".tox", ".nox", "node_modules", ".idea", ".vscode", ".ci"),
    *("tests", "deploy", "mlpack.yaml", "footprint.json", "Dockerfile", ".dockerignore", ".env", "secrets"),
    *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"),
)
"""Not part of the program: history, environments, tests, caches, secrets, and what mlpack renders."""
NEVER_COPIED_ANYWHERE = (
    *("__pycache__", ".ipynb_checkpoints", ".DS_Store", ".git", ".venv"),
    *(".env", ".netrc", ".pypirc", ".git-credentials", ".aws", ".ssh", ".docker", ".kube", "credentials.json"),
)
"""At any depth: caches, and files where programs keep passwords and keys."""


def image_files(plan: Plan, requirements: Requirements) -> tuple[File, ...]:
    """Dockerfile, ignore file, and the two programs that images use: library check and health check."""
    folder = deploy_folder(plan.profiles)
    files = []
    if health_script(plan) is not None:
        files.append(File(f"{folder}/healthcheck.py", "image/healthcheck.py.j2", {"header": RENDERED_BY}))
    found = images(plan)
    if found:
        files.append(File(f"{folder}/check_image.py", "image/check_image.py.j2", {"header": RENDERED_BY}))
    for image in found:
        template, values = "image/Dockerfile.j2", dockerfile_view(plan, image, requirements)
        if image.build.conda is not None:
            template, values = conda.TEMPLATE, values | conda.conda_values(plan, image)
            files.append(File(f"{folder}/{conda.SCRIPT}", "image/conda_env.py.j2", {"header": RENDERED_BY}))
        files.append(File(image.dockerfile, template, values))
        ignored = {"header": RENDERED_BY, "ignored": ignored_paths(plan), "kept": _rendered_inside(plan, image)}
        ignored |= {"anywhere": NEVER_COPIED_ANYWHERE}
        files.append(File(f"{image.dockerfile}.dockerignore", "image/dockerignore.j2", ignored))
    return tuple(files)


def dockerfile_view(plan: Plan, image: Image, requirements: Requirements) -> dict[str, object]:
    """What the Dockerfile of ``image`` says; every path is where argv and environment expect it."""
    root = plan.spec.root_path
    first = image.services[0]
    names = {name for service in image.services for name in requirements.get(service, ())}
    wanted = image.build.requirements or "requirements.txt"
    server = plan.services[first].server
    return {
        "header": RENDERED_BY,
        "file": image.dockerfile,
        "title": plan.name,
        "base": base_image(image.build),
        **cuda_values(plan, image),
        "apt": tuple(image.build.apt),
        "extra_index": extra_index(image, plan, names),
        "requirements_name": basename(wanted),
        "copy_requirements": (wanted, *requirement_files(wanted), "./"),
        "copy_check": (f"{deploy_folder(plan.profiles)}/check_image.py", "/tmp/"),
        "check_argv": (
            "python",
            "/tmp/check_image.py",
            VENV,
            *sorted({_program(plan, name) for name in image.services}),
        ),
        "root": root,
        "copy_root": (root, root),
        "copy_source": (".", "./"),
        "uid": app_uid(plan),
        "user": f"{app_uid(plan)}:{app_uid(plan)}",
        "mount_points": mount_points(plan, image),
        "ports": tuple(sorted({port for name in image.services if (port := plan.services[name].port)})),
        "stop_signal": STOP_SIGNAL,
        "argv": SERVERS[server].argv(plan, first),
    }


def mount_points(plan: Plan, image: Image) -> tuple[str, ...]:
    """Folders that volumes are mounted on: made in the image with the right owner, which named volumes then take."""
    volumes = {volume_path(plan.spec, v) for name in image.services for v in plan.spec.services[name].volumes}
    return tuple(sorted(volumes | {folder for name in image.services for folder in hub_folders(plan, name)}))


def health_script(plan: Plan) -> str | None:
    """The health check's path in containers; None where no service is asked over HTTP."""
    asked = any(
        service.health is not None
        and service.health.path
        and service.target != "systemd"
        and ready_made(plan, name) is None
        for name, service in plan.services.items()
    )
    return f"{plan.spec.root_path}/{deploy_folder(plan.profiles)}/healthcheck.py" if asked else None


def ignored_paths(plan: Plan) -> tuple[str, ...]:
    """Paths kept out of images: what is no program, weights, data, wheels; relative to the project."""
    spec, root = plan.spec, plan.spec.root_path
    paths = set(NEVER_COPIED)
    for name, model in spec.models.items():
        paths |= {path for path in (model.path, _below(root, model_path(spec, name))) if path}
    for name, volume in spec.volumes.items():
        paths |= {path for path in (volume.path, _below(root, volume_path(spec, name))) if path}
    paths |= {path for path in (spec.build.wheelhouse, spec.build.ca) if path}
    return tuple(sorted(path.removeprefix("./").rstrip("/") for path in paths if not path.startswith(("/", ".."))))


def _below(root: str, path: str) -> str | None:
    return path.removeprefix(f"{root}/") if path.startswith(f"{root}/") else None


def _program(plan: Plan, name: str) -> str:
    if draining_path(plan, name):
        return "uvicorn"  # started by a rendered program, which imports it
    return SERVERS[plan.services[name].server].argv(plan, name)[0]


def _rendered_inside(plan: Plan, image: Image) -> tuple[str, ...]:
    """Rendered files that the image holds: settings and checks, so that it runs anywhere as it is."""
    folder = deploy_folder(plan.profiles)
    kept = [config_path(plan, name) for name in image.services if plan.services[name].server == "gunicorn"]
    kept += [head_path(plan, name) for name in image.services if plan.services[name].server == "ray"]
    kept += [path for name in image.services if (path := cards_path(plan, name))]
    kept += [path for name in image.services if (path := draining_path(plan, name))]
    kept += [path for name in image.services if (path := heartbeat_path(plan, name))]
    kept += [f"{folder}/{conda.SCRIPT}"] if image.build.conda is not None else []
    kept += [f"{folder}/check_image.py"] + ([f"{folder}/healthcheck.py"] if health_script(plan) else [])
    return tuple(kept)
