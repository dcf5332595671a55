"""Plans made by hand, for tests of everything below the planner."""

from __future__ import annotations

from mlpack.plan import (
    BudgetPlan,
    BudgetRow,
    Decided,
    HealthPlan,
    MemoryPlan,
    Plan,
    ServicePlan,
    Term,
    TimePlan,
)
from mlpack.spec import Build, EnvValue, MaxInput, Model, Service, Settings, Spec, Volume
from mlpack.units import MIB


def whole(value: int, because: str = "chosen for this test") -> Decided[int]:
    """A decided number."""
    return Decided[int](value=value, source="calculated", because=because)


def real(value: float, because: str = "chosen for this test") -> Decided[float]:
    """A decided measure."""
    return Decided[float](value=value, source="calculated", because=because)


def service_plan(**changes: object) -> ServicePlan:
    """gunicorn with its ASGI worker: 2 workers of 1 thread, every number different from the others."""
    terms = (
        Term(name="master", each_bytes=18 * MIB, count=1, source="measured"),
        Term(name="worker, serving", each_bytes=301 * MIB, count=2, source="measured"),
        Term(name="mapped files, once", each_bytes=187 * MIB, count=1, source="measured"),
    )
    made = ServicePlan(
        server="gunicorn",
        target="compose",
        device="cpu",
        runtimes=("transformers",),
        replicas=whole(1),
        workers=whole(2, "2 cores / 1 thread each"),
        threads=whole(1, "floor(2 cores / 2 workers)"),
        concurrency=whole(3, "what the app reads"),
        enforced_by="the app, which reads EMBED_CONCURRENCY",
        preload=Decided[bool](value=False, source="default", because="not proven"),
        fork_point="before-import",
        worker_class=Decided[str](value="asgi", source="calculated", because="an ASGI app"),
        port=8000,
        publish=8080,
        cpus=real(1.5, "all but half a core"),
        pids=whole(137, "2 workers and their threads"),
        memory=MemoryPlan(
            load_bytes=700 * MIB,
            serve_bytes=807 * MIB,
            mapped_bytes=187 * MIB,
            lower_bytes=600 * MIB,
            load_terms=terms[:2],
            serve_terms=terms,
            limit_bytes=whole(867 * MIB, "1.05 x 807 + 0.10 x 187, rounded up"),
            reservation_bytes=whole(807 * MIB, "the predicted peak"),
            tmp_bytes=whole(64 * MIB, "temporary files"),
        ),
        times=TimePlan(
            request_s=real(30.0),
            worker_s=whole(61, "twice the request"),
            graceful_s=whole(31, "one request"),
            stop_grace_s=whole(41, "above the graceful timeout"),
        ),
        health=HealthPlan(
            path="/health",
            start_period_s=whole(52, "three times the load"),
            interval_s=whole(11),
            start_interval_s=whole(2),
            timeout_s=whole(5),
            retries=whole(4),
        ),
        environment={
            "OMP_NUM_THREADS": Decided[str](value="1", source="calculated", because="one thread per worker"),
            "TOKENIZERS_PARALLELISM": Decided[str](value="false", source="default", because="a fork follows"),
        },
        footprint_source="measured",
    )
    return made.model_copy(update=changes)


def embedding_spec(**changes: object) -> Spec:
    """One FastAPI service with one model and two volumes: one the engine keeps, one folder."""
    spec = Spec(
        name="embedding",
        build=Build(python="3.11", requirements="requirements.txt"),
        models={"minilm": Model(path="weights/all-minilm-l6-v2", max_input=MaxInput(tokens=256, batch=8))},
        services={
            "web": Service(
                server="gunicorn",
                app="app:app",
                interface="asgi",
                endpoint="def",
                port=8000,
                publish=8080,
                health="/health",
                models=("minilm",),
                volumes=("cache", "logs"),
                env={
                    "EMBED_CONCURRENCY": EnvValue(of="web", fact="concurrency"),
                    "MODEL_DIR": EnvValue(of="minilm", fact="path"),
                    "GREETING": EnvValue(text='$HOME is "home", 100 %'),
                },
            )
        },
        volumes={"cache": Volume(), "logs": Volume(path="logs")},
        settings=Settings(publish_host="0.0.0.0", log_level="warning"),
    )
    return spec.model_copy(update=changes)


def plan_of(spec: Spec, services: dict[str, ServicePlan], profiles: tuple[str, ...] = ("prod",)) -> Plan:
    """A plan around ``services``, with the budget that follows."""
    rows = tuple(
        BudgetRow(service=name, replicas=1, limit_bytes=made.memory.limit_bytes.value, cpus=made.cpus.value)
        for name, made in services.items()
    )
    budget = BudgetPlan(
        total_bytes=whole(8192 * MIB, "MemTotal"),
        usable_bytes=whole(7168 * MIB, "less 1 GiB for the system"),
        cores=real(2.0, "affinity"),
        rows=rows,
    )
    return Plan(name=spec.name, profiles=profiles, spec=spec, services=services, budget=budget)


def embedding_plan() -> Plan:
    """``examples/embedding`` as a plan, with numbers that are all different."""
    return plan_of(embedding_spec(), {"web": service_plan()})
