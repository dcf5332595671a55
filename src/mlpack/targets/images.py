"""Which images a plan needs built: services with the same ingredients share one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from posixpath import dirname

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.servers import SERVERS
from mlpack.servers.paths import deploy_folder, profile_words
from mlpack.spec import Build, Service, Spec

DEFAULT_PYTHON = "3.11"
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""Where PyTorch's wheels without CUDA are; the plain wheel brings several GB of CUDA libraries (facts.md)."""


@dataclass(frozen=True)
class Image:
    """One image to build from a rendered Dockerfile. ``services`` run it; the first one's command is its CMD."""

    reference: str
    """repository:tag"""
    dockerfile: str
    """Relative to the project."""
    services: tuple[str, ...]
    build: Build


def profile_suffix(plan: Plan) -> str:
    """``prod`` or ``prod-hybrid``: keeps projects and images of several profiles on one machine apart."""
    return profile_words(plan.profiles)


def effective_build(plan: Plan, name: str) -> Build:
    """Service ``name``'s build: see ``build_of``."""
    return build_of(plan.spec, plan.spec.services[name])


def build_of(spec: Spec, service: Service) -> Build:
    """``service``'s build: its own fields over the project's; conda replaces requirements and the reverse."""
    own, common, empty = service.build or Build(), spec.build, Build()
    changed = {key: value for key, value in own if value != getattr(empty, key)}
    inherited = dict(common)
    if "conda" in changed:
        inherited["requirements"] = None
    return Build.model_validate(inherited | changed)


def is_built_here(plan: Plan, name: str) -> bool:
    """The service runs an image from a Dockerfile that mlpack renders, not one of the user's or an official one."""
    service = plan.spec.services[name]
    if plan.services[name].target == "systemd":
        return False
    if service.image is not None or ready_made(plan, name) is not None:
        return False
    return effective_build(plan, name).dockerfile is None


def ready_made(plan: Plan, name: str) -> str | None:
    """The official image that service ``name`` runs, where its program has one and the service names no other.

    The project's own build is for its own code: only a Dockerfile of the service itself replaces an official image.
    """
    service = plan.spec.services[name]
    own = service.build is not None and service.build.dockerfile is not None
    return None if service.image is not None or own else SERVERS[service.server].FACTS.image


def images(plan: Plan) -> tuple[Image, ...]:
    """The images to build, in the order of their first service. Raises SpecError where nothing says what to install."""
    groups: dict[str, list[str]] = {}
    for name in plan.services:
        if is_built_here(plan, name):
            groups.setdefault(effective_build(plan, name).to_json(), []).append(name)
    repository = plan.spec.image or plan.name
    tag = profile_suffix(plan) if plan.spec.tag == "latest" else plan.spec.tag
    found = []
    for services in groups.values():
        build = effective_build(plan, services[0])
        _installable(build, services[0])
        part = "" if len(groups) == 1 else f"{services[0]}"
        found.append(
            Image(
                reference=f"{repository}{'-' + part if part else ''}:{tag}",
                dockerfile=f"{deploy_folder(plan.profiles)}/{part + '.' if part else ''}Dockerfile",
                services=tuple(services),
                build=build,
            )
        )
    return tuple(found)


def image_of(plan: Plan, name: str) -> Image | None:
    """The image built for service ``name``; None where it runs one that exists."""
    return next((image for image in images(plan) if name in image.services), None)


def base_image(build: Build) -> str:
    """The official image of the project's Python: slim, as wheels bring what they need except system libraries."""
    return f"python:{build.python or DEFAULT_PYTHON}-slim-bookworm"


def extra_index(image: Image, plan: Plan, requirements: set[str]) -> str:
    """PyTorch's CPU index where the image needs torch on CPUs only, and no wheelhouse or index of the user's has it."""
    needs = any(re.split(r"[^A-Za-z0-9._-]", name, maxsplit=1)[0].lower() == "torch" for name in requirements)
    on_cpu = all(plan.services[name].device == "cpu" for name in image.services)
    own_source = image.build.wheelhouse is not None or image.build.index is not None
    return TORCH_CPU_INDEX if needs and on_cpu and not own_source else ""


def requirement_files(requirements: str) -> tuple[str, ...]:
    """What pip may read: the file itself and its neighbours that it may name with -r or -c, as COPY patterns."""
    folder = dirname(requirements)
    return (f"{folder}/*.txt",) if folder else ("requirements*.txt", "constraints*.txt")


def _installable(build: Build, name: str) -> None:
    where = f"services.{name}.build"
    if build.requirements is None and build.conda is None:
        raise SpecError(
            "nothing says what to install",
            where=where,
            hint="write `build: {requirements: requirements.txt}`, or your own `build: {dockerfile: Dockerfile}`",
        )
