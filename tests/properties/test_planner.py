"""What holds for every plan, over random hosts, systems and footprints: it fits, nests, adds up, or is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.planner.build import engine, host, region, spec

from mlpack.errors import DoesNotFit, MlpackError, SpecError
from mlpack.footprint import Footprint, Region
from mlpack.host import HostFacts
from mlpack.plan import Decided, MemoryPlan, Plan, ServicePlan, TimePlan
from mlpack.planner import explain, make_plan
from mlpack.planner.capacity import GOOD_ENOUGH
from mlpack.planner.throughput import WORKER_SCALING, speed
from mlpack.servers import SERVERS
from mlpack.spec import RuntimeName, Spec
from mlpack.units import GIB, MIB, ceil_mib

pytestmark = pytest.mark.slow

RUNTIME_SETS: tuple[tuple[RuntimeName, ...], ...] = (
    ("torch",),
    ("transformers",),
    ("tensorflow",),
    ("onnxruntime",),
    ("sklearn",),
    ("torch", "lightgbm"),
)
OPENMP = {"torch", "transformers", "sklearn", "lightgbm"}


SIZES = st.sampled_from([2, 4, 8, 16, 32, 64]).flatmap(lambda gib: st.integers(gib * GIB // 2, gib * GIB))


@st.composite
def hosts(draw: st.DrawFn) -> HostFacts:
    """Machines of 1 to 64 cores and 1 to 64 GiB, some with a quota, some with an engine in a VM."""
    cores = draw(st.integers(1, 64))
    quota = draw(st.floats(0.25, 64)) if draw(st.integers(0, 2)) == 2 else None
    made = host(draw(SIZES), cores, quota)
    if draw(st.integers(0, 2)) == 2:
        size, count = draw(SIZES), draw(st.integers(1, 64))
        made = made.model_copy(update={"engine": engine(size, count, virtual_machine=draw(st.booleans()))})
    return made


@st.composite
def footprints(draw: st.DrawFn, service: str) -> Footprint:
    """One process: measured ones are sure, estimates have lower bounds somewhere below."""
    measured = draw(st.booleans())

    def part(name: str, stage: Any, kind: Any, per: Any, most: int) -> Region:
        size = draw(st.integers(0, most))
        return region(name, stage, kind, per, size, lower=size if measured else draw(st.integers(0, size)))

    return Footprint(
        service=service,
        source="measured" if measured else "estimated",
        regions=(
            part("libraries", "import", "anonymous", "process", 400),
            part("shared libraries", "import", "mapped", "process", 400),
            part("weights", "load", "anonymous", "process", 1500),
            part("mapped weights", "load", "mapped", "process", 3000),
            part("load peak", "load", "anonymous", "moment", 1500),
            part("activations", "serve", "anonymous", "request", 500),
            part("growth", "serve", "anonymous", "process", 200),
            part("store", "serve", "shm", "process", 200),
        ),
        fork_proven=draw(st.booleans()),
        unshared_bytes=draw(st.none() | st.integers(0, 100 * MIB)),
        concurrency=draw(st.integers(1, 8)),
        threads=draw(st.none() | st.integers(1, 8)),
        growth_bytes_per_request=draw(st.none() | st.floats(0, 1e7)),
        load_s=draw(st.floats(0, 300)),
        request_s=draw(st.floats(0, 100)),
    )


def maybe(draw: st.DrawFn, values: st.SearchStrategy[Any], name: str) -> dict[str, Any]:
    """``name`` set by the user, or left to the planner."""
    return {name: draw(values)} if draw(st.integers(0, 5)) == 5 else {}


@st.composite
def systems(draw: st.DrawFn) -> tuple[Spec, dict[str, Footprint], dict[str, tuple[RuntimeName, ...]]]:
    """A web service with models, perhaps a queue with workers, a plain page, a proxy."""
    web: dict[str, Any] = {
        "server": draw(st.sampled_from(["gunicorn", "uvicorn"])),
        "app": "a:b",
        "health": "/health",
        "models": ["m"],
        **maybe(draw, st.sampled_from(["def", "async"]), "endpoint"),
        **maybe(draw, st.integers(1, 12), "workers"),
        **maybe(draw, st.integers(1, 12), "threads"),
        **maybe(draw, st.integers(1, 6), "concurrency"),
        **maybe(draw, st.integers(1, 3), "replicas"),
        **maybe(draw, st.integers(32 * MIB, 8 * GIB), "memory_bytes"),
        **maybe(draw, st.booleans(), "preload"),
        **maybe(draw, st.floats(0.1, 3600), "timeout_s"),
        **maybe(draw, st.integers(1, 50 * MIB), "max_body_bytes"),
        **maybe(draw, st.floats(0.1, 16), "cpus"),
    }
    if web["server"] == "gunicorn":
        web |= maybe(draw, st.integers(1, 5000), "recycle")
    if draw(st.booleans()) or "concurrency" in web:
        web["env"] = {"MAX": {"of": "web", "fact": "concurrency"}}
    services: dict[str, Any] = {"web": web}
    if draw(st.booleans()):
        env = {"BROKER": {"of": "queue", "fact": "url"}, "WEB": {"of": "web", "fact": "url"}}
        services["worker"] = {
            "server": "celery",
            "app": "t:a",
            "models": ["m"] if draw(st.booleans()) else [],
            "env": env,
            **maybe(draw, st.integers(1, 6), "workers"),
            **maybe(draw, st.integers(1, 500), "recycle"),
            **maybe(draw, st.floats(0.1, 7200), "timeout_s"),
        }
        services["queue"] = {"server": "redis"}
    if draw(st.booleans()):
        services["page"] = {"server": "uvicorn", "app": "p:a", "publish": 9000, "health": "/"}
    if draw(st.booleans()) or "replicas" in web:
        services["proxy"] = {"server": draw(st.sampled_from(["caddy", "nginx"])), "to": "web"}
    load = draw(st.sampled_from([{}, {"rps": 5.0}, {"p95_s": 1.0, "concurrency": 4}]))
    objective = draw(st.sampled_from(["throughput", "latency", "memory"]))
    budget = {**maybe(draw, st.floats(0.1, 1), "memory_share"), **maybe(draw, st.floats(0.5, 32), "cpus")}
    whole = spec(services, load=load, objective=objective, budget=budget)
    prints = {name: draw(footprints(name)) for name, service in whole.services.items() if service.models}
    runtimes = {name: draw(st.sampled_from(RUNTIME_SETS)) for name in prints}
    return whole, prints, runtimes


System = tuple[Spec, dict[str, Footprint], dict[str, tuple[RuntimeName, ...]]]


def planned(on: HostFacts, system: System) -> Plan | None:
    """The plan, or None for a refusal; any other error fails the test."""
    whole, prints, runtimes = system
    try:
        return make_plan(on, whole, prints, profiles=("prod",), origins={}, runtimes=runtimes)
    except (DoesNotFit, SpecError) as error:
        assert error.what
        assert error.hint
        assert error.where
        return None


@settings(max_examples=150, deadline=None)
@given(hosts(), systems())
def test_every_plan_holds_its_promises(on: HostFacts, system: System) -> None:
    plan = planned(on, system)
    if plan is None:
        return
    whole, _, runtimes = system
    assert plan.budget.used_bytes <= plan.budget.usable_bytes.value <= plan.budget.total_bytes.value - GIB
    for name, service in plan.services.items():
        sums_add_up(service.memory)
        times_nest(service.times)
        threads_fit(plan, name, service, runtimes.get(name, ()))
        users_word_is_kept(whole, name, service)
        turns_are_needed(service)
        recycling_is_reasoned(system[1].get(name), whole.services[name].recycle, service)
    for name, asked in whole.services.items():
        if asked.to:
            inner = plan.services[asked.to].times
            read = plan.services[name].times.proxy_read_s
            assert read is not None
            assert read.value > max(inner.request_s.value, inner.worker_s.value if inner.worker_s else 0)
    if "worker" in plan.services:
        assert plan.services["worker"].times.request_s.value > plan.services["web"].times.request_s.value
    assert all(row.because for row in explain(plan))
    assert Plan.model_validate_json(plan.to_json()) == plan


@settings(max_examples=30, deadline=None)
@given(hosts(), systems())
def test_same_input_same_bytes(on: HostFacts, system: System) -> None:
    first, second = planned(on, system), planned(on, system)
    assert (first and first.to_json()) == (second and second.to_json())


@settings(max_examples=150, deadline=None)
@given(hosts(), systems(), st.integers(1, 32 * GIB))
def test_more_memory_never_worsens_the_objective(on: HostFacts, system: System, more: int) -> None:
    small = planned(on, system)
    larger = on.memory.model_copy(update={"total_bytes": on.memory.total_bytes + more})
    richer = on.model_copy(update={"memory": larger})
    if on.engine is not None:
        grown = on.engine.model_copy(update={"memory_bytes": on.engine.memory_bytes + more})
        richer = richer.model_copy(update={"engine": grown})
    big = planned(richer, system)
    if small is None:
        return
    assert big is not None, "it fitted into less"
    for name in system[1]:
        worse_than = merit(system[0], small.services[name])
        assert merit(system[0], big.services[name]) >= worse_than - 1e-9


@settings(max_examples=60, deadline=None)
@given(systems(), st.integers(1, 32), st.integers(1, 32))
def test_more_cores_never_worsen_latency(system: System, cores: int, more: int) -> None:
    whole = system[0].model_copy(update={"objective": "latency", "load": Spec.model_fields["load"].default})
    free = (whole, system[1], system[2])
    small, big = (planned(host(64 * GIB, count), free) for count in (cores, cores + more))
    if small is None or big is None:
        assert small is None
        return
    for name in free[1]:
        assert merit(whole, big.services[name]) >= GOOD_ENOUGH * merit(whole, small.services[name]) - 1e-9


@settings(max_examples=60, deadline=None)
@given(hosts(), systems())
def test_what_a_refusal_says_would_do_does(on: HostFacts, system: System) -> None:
    """The memory named in a refusal, on a host without an engine of its own, is enough: the whole plan then fits."""
    whole, prints, runtimes = system
    bare = on.model_copy(update={"engine": None})
    try:
        make_plan(bare, whole, prints, profiles=(), origins={}, runtimes=runtimes)
    except DoesNotFit as error:
        if error.host_bytes is None:
            return
        richer = bare.model_copy(
            update={"memory": bare.memory.model_copy(update={"total_bytes": error.host_bytes + MIB})}
        )
        try:
            assert make_plan(richer, whole, prints, profiles=(), origins={}, runtimes=runtimes)
        except SpecError:
            return  # the user's own times do not nest, which shows once it fits
        poorer = bare.model_copy(
            update={"memory": bare.memory.model_copy(update={"total_bytes": error.host_bytes - 2 * MIB})}
        )
        assert planned(poorer, system) is None
    except SpecError:
        return


@settings(max_examples=60, deadline=None)
@given(systems(), st.integers(1, 32), st.integers(1, 32))
def test_more_cores_never_worsen_throughput(system: System, cores: int, more: int) -> None:
    whole = system[0].model_copy(update={"objective": "throughput", "load": Spec.model_fields["load"].default})
    free = (whole, system[1], system[2])
    small, big = (planned(host(64 * GIB, count), free) for count in (cores, cores + more))
    if small is None or big is None:  # the user's own threads may need the cores, never the other way round
        assert small is None
        return
    clipped = {f.where for f in (*small.findings, *big.findings) if f.code == "estimate-may-not-fit"}
    for name in free[1]:
        if f"services.{name}" in clipped:
            continue
        before, after = (merit(whole, plan.services[name]) for plan in (small, big))
        assert after >= GOOD_ENOUGH * before - 1e-9


def merit(whole: Spec, service: ServicePlan) -> float:
    """The objective's own measure, worked out here again: requests/s, speed of one request, or fewest workers."""
    if whole.load != Spec.model_fields["load"].default:
        return 0.0  # what must be borne is said as a finding, see test_capacity
    speed_of_one = speed(service.threads.value)
    if whole.objective == "latency":
        return speed_of_one
    if whole.objective == "memory":
        return 0.0
    useful = max(1, int(service.cpus.value // service.threads.value))
    streams = min(service.workers.value * service.concurrency.value, useful)
    return (streams * WORKER_SCALING if streams > 1 else 1.0) * speed_of_one


def sums_add_up(memory: MemoryPlan) -> None:
    """Terms sum to the peaks, bounds are in order, and the limit is the rule's where nothing clips it."""
    assert sum(term.total_bytes for term in memory.load_terms) == memory.load_bytes
    assert sum(term.total_bytes for term in memory.serve_terms) == memory.serve_bytes
    assert memory.lower_bytes <= memory.peak_bytes
    limit = memory.limit_bytes
    assert memory.reservation_bytes.value <= limit.value
    assert limit.value >= memory.lower_bytes
    if limit.source in ("measured", "estimated", "default"):
        assert limit.value == ceil_mib(round(1.05 * memory.peak_bytes + 0.10 * memory.mapped_bytes))


def times_nest(times: TimePlan) -> None:
    """Each limit is above the one inside it; stops are capped."""
    chain = [times.request_s, times.worker_s, times.soft_s, times.hard_s, times.redelivery_s, times.proxy_read_s]
    values = [decided.value for decided in chain if decided is not None]
    assert values == sorted(set(values))
    assert times.graceful_s.value < times.stop_grace_s.value <= 60
    if times.child_start_s is not None:
        assert times.child_start_s.value > 4


def threads_fit(plan: Plan, name: str, service: ServicePlan, runtimes: tuple[RuntimeName, ...]) -> None:
    """OpenMP: workers x concurrency x threads <= cores; pools: workers x threads. Else one thread, said aloud."""
    if not runtimes:
        return
    at_once = service.concurrency.value if OPENMP.intersection(runtimes) else 1
    computing = service.workers.value * at_once * service.threads.value
    if computing > service.cpus.value:
        assert service.threads.value == 1
        codes = {finding.code for finding in plan.findings if (finding.where or "").startswith(f"services.{name}.")}
        assert codes & {"workers-exceed-cores", "concurrency-exceeds-cores"}


def turns_are_needed(service: ServicePlan) -> None:
    """Workers load in turn only where gunicorn has several that load for themselves, and then never two at once."""
    turn = service.load_in_turn
    if turn is None:
        return
    assert service.server == "gunicorn"
    assert service.workers.value > 1
    assert not service.preload.value
    passing = [term.count for term in service.memory.load_terms if term.name == "load peak"]
    assert passing in ([], [1 if turn.value else service.workers.value])
    if turn.value:
        assert service.memory.load_bytes <= service.memory.serve_bytes


def recycling_is_reasoned(print_: Footprint | None, asked: int | None, service: ServicePlan) -> None:
    """Workers are replaced only where it was asked for, or where measured growth would eat the headroom."""
    if asked is not None:
        assert service.recycle is not None
        assert (service.recycle.value, service.recycle.source) == (asked, "user")
    elif service.recycle is not None:
        assert print_ is not None
        assert print_.source == "measured"
        assert print_.growth_bytes_per_request
        grown = service.workers.value * service.recycle.value * print_.growth_bytes_per_request
        spare = service.memory.limit_bytes.value - service.memory.peak_bytes
        assert grown <= max(spare, service.workers.value * print_.growth_bytes_per_request)
    if service.recycle_jitter is not None:
        assert service.recycle is not None
        assert service.workers.value > 1


def users_word_is_kept(whole: Spec, name: str, service: ServicePlan) -> None:
    """What the user set is in the plan, marked as the user's."""
    asked = whole.services[name]
    decided: dict[str, Decided[Any]] = {
        "workers": service.workers,
        "threads": service.threads,
        "concurrency": service.concurrency,
        "replicas": service.replicas,
        "preload": service.preload,
        "memory_bytes": service.memory.limit_bytes,
        "cpus": service.cpus,
        "timeout_s": service.times.request_s,
    }
    for field, value in decided.items():
        wanted = getattr(asked, field)
        if wanted is not None:
            assert (value.value, value.source) == (wanted, "user"), field


def test_every_server_can_be_planned() -> None:
    for name, server in SERVERS.items():
        service: dict[str, Any] = {"server": name, "app": "a:b"}
        if server.FACTS.role in ("llm", "actors"):
            service["models"] = ["m"]
        if server.FACTS.role == "proxy":
            service["to"] = "web"
        whole = spec({"it": service, "web": {"server": "uvicorn", "app": "a:b", "publish": 9000}})
        try:
            plan = make_plan(host(), whole, {}, profiles=(), origins={}, runtimes={})
        except MlpackError as error:
            raise AssertionError(name) from error
        assert plan.services["it"].memory.limit_bytes.value > 0
