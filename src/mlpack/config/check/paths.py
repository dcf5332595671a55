"""Does every path stay inside the project, and is every path in a container a whole one? Spaces and $ are fine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlpack.config.check.said import Said
from mlpack.project import why_not_inside
from mlpack.spec import Build, Spec

_BUILD_PATHS = ("requirements", "conda", "dockerfile", "wheelhouse", "ca", "context")


def check(spec: Spec) -> Iterator[Said]:
    """Paths of builds, models, volumes and requests are relative and inside; roots and mounts do not climb."""
    for at, path in _project_paths(spec):
        reason = why_not_inside(path)
        if reason is not None:
            yield Said(at, f"{path!r} {reason}", "copy or link the file into the project and name it there")
    for at, path in _container_paths(spec):
        if not path.startswith("/") or ".." in path.split("/") or why_not_inside(path.lstrip("/") or ".") is not None:
            yield Said(at, f"{path!r} is not a whole path", "write it like /app")


def _project_paths(spec: Spec) -> Iterator[tuple[str, str]]:
    yield from _build("build", spec.build)
    for name, model in spec.models.items():
        if model.path is not None:
            yield f"models.{name}.path", model.path
    for name, service in spec.services.items():
        if service.build is not None:
            yield from _build(f"services.{name}.build", service.build)
        if service.measure is not None:
            given = {"args": list(service.measure.args), "kwargs": service.measure.kwargs}
            for key, data in given.items():
                yield from ((f"services.{name}.measure.{key}", path) for path in _named_in(data, "file"))
    for name, volume in spec.volumes.items():
        if volume.path is not None:
            yield f"volumes.{name}.path", volume.path
    for name, request in spec.requests.items():
        for index, step in enumerate(request.steps):
            at = f"requests.{name}.steps.{index}"
            for key, path in step.file.items():
                yield f"{at}.file.{key}", path
            yield from ((f"{at}.json", path) for path in _named_in(step.json_, "file"))
            for key, expect in (("expect", step.expect), ("until", step.until)):
                if expect is not None:
                    yield from ((f"{at}.{key}.json", path) for path in _named_in(expect.json_, "like"))
                if expect is not None and expect.like is not None:
                    yield f"{at}.{key}.like", expect.like


def _named_in(data: Any, key: str) -> Iterator[str]:
    """Project files that JSON names: ``{file: path}`` in a body, ``{like: path, within: ...}`` in an expectation."""
    if isinstance(data, list):
        for item in data:
            yield from _named_in(item, key)
    elif isinstance(data, dict):
        if isinstance(data.get(key), str) and set(data) <= {key, "within", "at"}:
            yield data[key]
        for item in data.values():
            yield from _named_in(item, key)


def _build(at: str, build: Build) -> Iterator[tuple[str, str]]:
    for field in _BUILD_PATHS:
        path = getattr(build, field)
        if path is not None:
            yield f"{at}.{field}", path


def _container_paths(spec: Spec) -> Iterator[tuple[str, str]]:
    if spec.root is not None:
        yield "root", spec.root
    for name, service in spec.services.items():
        if service.root is not None:
            yield f"services.{name}.root", service.root
    for name, model in spec.models.items():
        if model.mount is not None:
            yield f"models.{name}.mount", model.mount
    for name, volume in spec.volumes.items():
        if volume.mount is not None:
            yield f"volumes.{name}.mount", volume.mount
