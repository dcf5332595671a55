"""Small hosts, specs, footprints and subjects by the numbers that matter to a test."""

from __future__ import annotations

from typing import Any

from mlpack.footprint import Footprint, Kind, Per, Region, Stage
from mlpack.host import CgroupFacts, CpuFacts, EngineFacts, HostFacts, MemoryFacts
from mlpack.plan import Plan
from mlpack.planner import make_plan
from mlpack.planner.make import BUILT_IN
from mlpack.planner.subject import Subject
from mlpack.spec import RuntimeName, Spec
from mlpack.units import GIB, MIB

MODELS = {"m": {"path": "weights/m.safetensors"}}


def host(memory_bytes: int = 16 * GIB, cores: int = 4, quota: float | None = None) -> HostFacts:
    """A Linux machine without an engine."""
    return HostFacts(
        system="Linux",
        release="6.1",
        memory=MemoryFacts(total_bytes=memory_bytes, available_bytes=memory_bytes, swap_total_bytes=0),
        cpu=CpuFacts(
            model=None, architecture="x86_64", physical_cores=cores, logical_cores=cores, affinity_cores=cores
        ),
        cgroup=CgroupFacts(version="v2", cpu_quota_cores=quota),
    )


def engine(memory_bytes: int, cores: int, *, virtual_machine: bool) -> EngineFacts:
    """A container engine of that size."""
    return EngineFacts(
        name="Docker Engine",
        version="26.1.5",
        api_version="1.45",
        operating_system="Linux",
        architecture="x86_64",
        cgroup_version="v2",
        memory_bytes=memory_bytes,
        cores=cores,
        virtual_machine=virtual_machine,
    )


def spec(services: dict[str, dict[str, Any]], **more: Any) -> Spec:
    """A spec with one model ``m`` that services may name."""
    return Spec.model_validate({"name": "shop", "models": MODELS, "services": services, **more})


def region(name: str, stage: Stage, kind: Kind, per: Per, mib: float, *, lower: float | None = None) -> Region:
    """A region of ``mib`` MiB, surely ``lower`` MiB (all of it by default)."""
    return Region(
        name=name,
        stage=stage,
        kind=kind,
        per=per,
        bytes=round(mib * MIB),
        lower_bytes=round((mib if lower is None else lower) * MIB),
        source="measured",
        because="a test's number",
    )


def footprint(service: str = "web", *, regions: tuple[Region, ...] | None = None, **more: Any) -> Footprint:
    """Measured: 100 after import, 60 more after load with a passing 40, 30 per request, 50 mapped idle and 20 hot."""
    known = regions or (
        region("libraries", "import", "anonymous", "process", 100),
        region("shared libraries", "import", "mapped", "process", 50),
        region("weights", "load", "anonymous", "process", 60),
        region("load peak", "load", "anonymous", "moment", 40),
        region("activations", "serve", "anonymous", "request", 30),
        region("weights in use", "serve", "mapped", "process", 20),
    )
    values = {"source": "measured", "regions": known, "load_s": 4.0, "request_s": 0.5, **more}
    return Footprint.model_validate({"service": service, **values})


def subject(
    service: dict[str, Any],
    print_: Footprint | None = None,
    *,
    cores: float = 4,
    runtimes: tuple[RuntimeName, ...] = ("torch",),
) -> Subject:
    """Service ``web`` as the planner sees it."""
    whole = spec({"web": service})
    server = BUILT_IN.servers[whole.services["web"].server]
    return Subject(
        name="web",
        service=whole.services["web"],
        facts=server.FACTS.in_pool(whole.services["web"].pool),
        admission=server.admission(whole, "web"),
        footprint=print_ or footprint(),
        runtimes=tuple(BUILT_IN.runtimes[name].FACTS for name in runtimes),
        target="compose",
        cores=cores,
        origins={},
    )


def plan(
    services: dict[str, dict[str, Any]],
    footprints: dict[str, Footprint] | None = None,
    *,
    on: HostFacts | None = None,
    runtimes: tuple[RuntimeName, ...] = ("torch",),
    **more: Any,
) -> Plan:
    """The plan of ``services``; every one with models runs ``runtimes``."""
    whole = spec(services, **more)
    return make_plan(
        on or host(),
        whole,
        footprints if footprints is not None else {n: footprint(n) for n, s in whole.services.items() if s.models},
        profiles=("prod",),
        origins={},
        runtimes={name: runtimes for name, service in whole.services.items() if service.models},
    )


GUNICORN: dict[str, Any] = {"server": "gunicorn", "app": "app:app", "health": "/health", "models": ["m"]}
UVICORN: dict[str, Any] = {"server": "uvicorn", "app": "app:app", "health": "/health", "models": ["m"]}
CELERY: dict[str, Any] = {"server": "celery", "app": "tasks:app", "models": ["m"]}
