"""What if: the same system planned again with one number changed: memory, throughput, and where it stops to fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from mlpack.errors import DoesNotFit, SpecError
from mlpack.footprint import Footprint
from mlpack.host import HostFacts
from mlpack.noun import Noun
from mlpack.plan import Plan, ServicePlan
from mlpack.planner.budget import household
from mlpack.planner.capacity import GOOD_ENOUGH
from mlpack.planner.machines import resized
from mlpack.planner.placement import CONTAINER_TARGETS, target_of
from mlpack.planner.subject import Origin
from mlpack.planner.sweep_asked import Sweep
from mlpack.planner.throughput import relative_rate, speed
from mlpack.spec import Spec

PlanAt = Callable[[HostFacts, Spec, Mapping[str, Origin]], Plan]


class SweptService(Noun):
    """A service with models at one point. ``requests_per_s`` bounds all replicas together, by the largest request."""

    workers: int
    threads: int
    concurrency: int
    replicas: int
    limit_bytes: int
    requests_per_s: float
    source: Literal["default", "estimated", "measured"]


class Point(Noun):
    """One value tried. ``refused`` says why there is no plan; ``memory_bytes`` is then what is needed at least."""

    value: int
    shown: str
    fits: bool
    memory_bytes: int | None
    """All limits together."""
    usable_bytes: int | None
    services: dict[str, SweptService] = {}
    refused: str | None = None
    warnings: tuple[str, ...] = ()
    """Codes of the plan's warnings: an estimate that may not fit, workers beyond the cores."""

    @property
    def surely(self) -> bool:
        """It fits, estimates with their margins included."""
        return self.fits and "estimate-may-not-fit" not in self.warnings


def sweep(
    asked: Sweep, host: HostFacts, spec: Spec, footprints: Mapping[str, Footprint], plan_at: PlanAt
) -> tuple[Point, ...]:
    """Every value planned; a value that is refused is a point too."""

    def point(value: int) -> Point:
        machine, changed, origins = _changed(asked, value, host, spec)
        usable = None
        try:
            containers = any(target_of(spec, service) in CONTAINER_TARGETS for service in spec.services.values())
            usable = household(machine, changed, {}, containers=containers).usable.value
            return _planned(asked.show(value), value, plan_at(machine, changed, origins), footprints)
        except (DoesNotFit, SpecError) as error:
            return Point(
                value=value,
                shown=asked.show(value),
                fits=False,
                memory_bytes=error.needed_bytes if isinstance(error, DoesNotFit) else None,
                usable_bytes=usable,
                refused=error.what.splitlines()[0],
            )

    return tuple(point(value) for value in asked.values)


def focus(points: Sequence[Point], asked: Sweep) -> str | None:
    """The service whose throughput the chart shows: the one swept, else the one with the largest limit."""
    fitting = [point for point in points if point.services]
    if asked.service is not None or not fitting:
        return asked.service
    last = fitting[-1].services
    return max(last, key=lambda name: (last[name].limit_bytes, name))


def enough(points: Sequence[Point], name: str | None) -> Point | None:
    """The first point that fits and reaches 95 % of the best throughput of service ``name``; None if none fits.

    Points that only may fit count where nothing fits surely.
    """
    fitting = [point for point in points if point.surely] or [point for point in points if point.fits]
    if name is None or not any(name in point.services for point in fitting):
        return fitting[0] if fitting else None
    best = max(point.services[name].requests_per_s for point in fitting)
    return next(point for point in fitting if point.services[name].requests_per_s >= GOOD_ENOUGH * best)


def requests_per_s(service: ServicePlan, footprint: Footprint, parallel: int = 1) -> float:
    """Requests per second of all replicas at the very most: the largest request, and nothing else on the machine."""
    at_once = service.workers.value * service.concurrency.value
    rate = relative_rate(service.cpus.value, at_once, service.threads.value, parallel)
    alone = max(footprint.request_s, 0.001) * speed(footprint.threads or 1)
    return service.replicas.value * rate / alone


def _changed(asked: Sweep, value: int, host: HostFacts, spec: Spec) -> tuple[HostFacts, Spec, dict[str, Origin]]:
    """Host and spec with the number changed, and where it then came from."""
    if asked.service is None:
        return (resized(host, value) if asked.number == "ram" else resized(host, cores=float(value))), spec, {}
    service = spec.services[asked.service].model_copy(update={asked.number: value})
    changed = spec.model_copy(update={"services": {**spec.services, asked.service: service}})
    return host, changed, {f"services.{asked.service}.{asked.number}": "user"}


def _planned(shown: str, value: int, plan: Plan, footprints: Mapping[str, Footprint]) -> Point:
    return Point(
        value=value,
        shown=shown,
        fits=True,
        memory_bytes=plan.budget.used_bytes,
        usable_bytes=plan.budget.usable_bytes.value,
        services={
            name: _swept(plan.services[name], footprints[name], len(service.models))
            for name, service in plan.spec.services.items()
            if service.models and name in footprints
        },
        warnings=tuple(dict.fromkeys(f.code for f in plan.findings if f.severity == "warning")),
    )


def _swept(service: ServicePlan, footprint: Footprint, models: int) -> SweptService:
    return SweptService(
        workers=service.workers.value,
        threads=service.threads.value,
        concurrency=service.concurrency.value,
        replicas=service.replicas.value,
        limit_bytes=service.memory.limit_bytes.value,
        requests_per_s=requests_per_s(service, footprint, models if service.server == "ray" else 1),
        source=footprint.source,
    )
