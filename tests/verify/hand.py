"""Plans and locks made by hand, for tests of what runs them: only the numbers that matter are parameters."""

from __future__ import annotations

from typing import Any

from mlpack.host import CgroupFacts, CpuFacts, HostFacts, MemoryFacts
from mlpack.lock import Lock, World
from mlpack.plan import BudgetPlan, Decided, HealthPlan, MemoryPlan, Plan, ServicePlan, TimePlan
from mlpack.spec import Expect, Request, Service, Spec, Step, Verify
from mlpack.units import GIB, MIB


def d(value: Any) -> Decided[Any]:
    """``value``, decided by hand."""
    return Decided(value=value, source="user", because="by hand")


def memory_plan(
    limit_bytes: int, *, peak_bytes: int | None = None, lower_bytes: int = 0, mapped_bytes: int = 0
) -> MemoryPlan:
    """A memory plan with a limit and a predicted peak (by default nine tenths of the limit)."""
    peak = limit_bytes * 9 // 10 if peak_bytes is None else peak_bytes
    return MemoryPlan(
        load_bytes=peak,
        serve_bytes=peak,
        mapped_bytes=mapped_bytes,
        lower_bytes=lower_bytes,
        load_terms=(),
        serve_terms=(),
        limit_bytes=d(limit_bytes),
        reservation_bytes=d(limit_bytes),
        tmp_bytes=d(16 * MIB),
    )


def service_plan(
    *,
    server: Any = "gunicorn",
    workers: int = 2,
    concurrency: int = 1,
    cpus: float = 1.0,
    memory: MemoryPlan | None = None,
    health: str | None = "/health",
    start_period_s: int = 20,
    environment: dict[str, str] | None = None,
    footprint_source: Any = "measured",
    worker_class: str | None = None,
) -> ServicePlan:
    """One service of a small app on port 8000."""
    checks = HealthPlan(
        path=health,
        start_period_s=d(start_period_s),
        interval_s=d(5),
        start_interval_s=d(1),
        timeout_s=d(3),
        retries=d(3),
    )
    return ServicePlan(
        server=server,
        target="compose",
        device="cpu",
        runtimes=(),
        replicas=d(1),
        workers=d(workers),
        threads=d(1),
        concurrency=d(concurrency),
        enforced_by="gunicorn's threads",
        preload=d(False),
        fork_point="before-import",
        worker_class=None if worker_class is None else d(worker_class),
        port=8000,
        publish=8000,
        cpus=d(cpus),
        pids=d(200),
        memory=memory or memory_plan(256 * MIB),
        times=TimePlan(request_s=d(5.0), worker_s=d(10), graceful_s=d(5), stop_grace_s=d(6)),
        health=checks if health else None,
        environment={key: d(value) for key, value in (environment or {}).items()},
        footprint_source=footprint_source,
    )


def spec(requests: dict[str, Request] | None = None, **values: Any) -> Spec:
    """A spec of one service ``web`` and a request that expects ``{"y": 42}``."""
    asked = Request(
        largest=True,
        steps=(Step(to="web", method="POST", path="/predict", json_={"x": 21}, expect=Expect(json_={"y": 42})),),
    )
    service = Service(server="gunicorn", app="app:app", interface="wsgi", port=8000, health="/health")
    values = {"name": "hand", "services": {"web": service}, "verify": Verify(requests=20), **values}
    return Spec(requests={"double": asked} if requests is None else requests, **values)


def plan(service: ServicePlan | None = None, wanted: Spec | None = None) -> Plan:
    """A plan of the one service ``web``."""
    budget = BudgetPlan(total_bytes=d(8 * GIB), usable_bytes=d(8 * GIB), cores=d(2.0), rows=())
    return Plan(
        name="hand",
        profiles=("prod",),
        spec=wanted or spec(),
        services={"web": service or service_plan()},
        budget=budget,
    )


def host() -> HostFacts:
    """A machine with 2 cores and 8 GiB."""
    return HostFacts(
        system="Linux",
        release="6.1",
        memory=MemoryFacts(total_bytes=8 * GIB, swap_total_bytes=0),
        cpu=CpuFacts(model=None, architecture="x86_64", physical_cores=2, logical_cores=2, affinity_cores=2),
        cgroup=CgroupFacts(version="v2"),
    )


def lock(made: Plan | None = None) -> Lock:
    """A lock that holds the plan and nothing rendered."""
    return Lock(
        mlpack_version="0",
        profiles=("prod",),
        world=World(host=host(), models={}),
        inputs={},
        footprints={},
        plan=made or plan(),
        files={},
    )
