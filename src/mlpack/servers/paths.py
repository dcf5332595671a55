"""Where models and volumes lie inside containers and on hosts; the same path in both, so that argv and env agree."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from posixpath import normpath

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.spec import Spec


def model_path(spec: Spec, name: str) -> str:
    """Where model ``name`` lies: its mount, else below the root at its own relative path.

    A model of a hub answers with its hub name, which is what ``from_pretrained`` takes. Raises SpecError where it has
    neither.
    """
    model = spec.models[name]
    if model.mount is not None:
        return model.mount
    if model.path is not None:
        return normpath(f"{spec.root_path}/{model.path}")
    if model.hub is not None:
        return model.hub
    raise SpecError("this model has neither a path nor a hub name", where=f"models.{name}", hint="write `path: FILE`")


def volume_path(spec: Spec, name: str) -> str:
    """Where volume ``name`` is mounted: its mount, else below the root at its folder's relative path, else its name."""
    volume = spec.volumes[name]
    return normpath(volume.mount or f"{spec.root_path}/{volume.path or name}")


def ready_folder(plan: Plan, name: str) -> str:
    """Where processes of service ``name`` leave a file named after their pid once they can work: gone with a restart.

    For programs that nobody can ask over HTTP: a queue's worker whose children load the models.
    """
    return f"/run/{plan.name}-{name}" if plan.services[name].target == "systemd" else "/tmp/ready"


def deploy_folder(profiles: tuple[str, ...]) -> str:
    """The folder of rendered files, relative to the project: ``deploy/prod`` or ``deploy/prod-hybrid``."""
    return "deploy/" + profile_words(profiles)


def profile_words(profiles: tuple[str, ...]) -> str:
    """``prod-hybrid``; a profile file without its suffix and slashes: ``prod-hosts-edge`` for prod hosts/edge.yaml.

    Engines take lower-case letters, digits, - and _ in a project's name.
    """
    words = []
    for profile in profiles:
        path = PurePosixPath(profile)
        plain = path.stem if path.is_absolute() else str(path.with_suffix("") if path.suffix else path)
        words.append(re.sub(r"[^a-z0-9_-]+", "-", plain.lower()).strip("-"))
    return "-".join(word for word in words if word) or "default"
