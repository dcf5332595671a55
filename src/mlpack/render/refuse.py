"""What cannot be rendered yet is refused by name: half a deployment would be worse than none."""

from __future__ import annotations

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.targets import TARGETS


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


def _missing(what: str, where: str, hint: str) -> SpecError:
    return SpecError(f"mlpack plans this, but cannot render {what} yet", where=where, hint=hint)
