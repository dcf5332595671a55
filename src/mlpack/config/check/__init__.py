"""What Spec's types cannot say: references exist, services are whole, paths stay inside. One question a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mlpack.config.check import paths, references, requests, services
from mlpack.config.check.said import Said
from mlpack.spec import Spec

CHECKS: tuple[Callable[[Spec], Iterator[Said]], ...] = (
    references.check,
    services.check,
    paths.check,
    requests.check,
)


def check(spec: Spec) -> list[Said]:
    """Every mistake in ``spec``, in the order of the checks."""
    return [said for one in CHECKS for said in one(spec)]
