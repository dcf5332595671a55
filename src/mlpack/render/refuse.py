"""What cannot be rendered yet is refused by name: half a deployment would be worse than none."""

from __future__ import annotations

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.planner.gpu_software import wheel_of
from mlpack.targets import TARGETS
from mlpack.targets.base import Requirements
from mlpack.targets.gpu_image import missing_cuda
from mlpack.targets.images import images


def refuse_unrendered(plan: Plan) -> None:
    """Raises SpecError for the first target, server or feature of ``plan`` whose files mlpack cannot write yet."""
    for name, service in plan.services.items():
        where = f"services.{name}"
        target = TARGETS.get(service.target)
        if target is None:
            raise _missing(f"files for target {service.target!r}", f"{where}.target", f"targets: {', '.join(TARGETS)}")
        if service.server not in target.SERVERS:
            able = ", ".join(sorted(target.SERVERS))
            raise _missing(f"files for server {service.server!r}", f"{where}.server", f"servers: {able}")


def refuse_cards(plan: Plan, requirements: Requirements) -> None:
    """Raises SpecError where an image that mlpack renders would lack CUDA's libraries, with what brings them."""
    for image in images(plan):
        for name in image.services:
            if plan.services[name].device != "gpu":
                continue
            lines = tuple(requirements.get(name, ()))
            wheel = wheel_of(plan.services[name].runtimes, lines)
            missing = missing_cuda(lines, wheel.cuda if wheel else None)
            if missing is not None:
                what, hint = missing
                raise SpecError(f"{name}: {what}", where=f"services.{name}.build", hint=hint)


def _missing(what: str, where: str, hint: str) -> SpecError:
    return SpecError(f"mlpack plans this, but cannot render {what} yet", where=where, hint=hint)
