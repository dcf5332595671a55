"""make_plan: host, spec and footprints to a whole plan, or a refusal with the whole sum. Same input, same plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from mlpack.errors import SpecError
from mlpack.footprint import Footprint
from mlpack.host import HostFacts
from mlpack.model import ModelInfo
from mlpack.plan import BudgetPlan, BudgetRow, Plan, ServicePlan
from mlpack.planner import connections, pools, recycling, redelivery
from mlpack.planner.budget import Household, core_shares, decided_cpus, household
from mlpack.planner.claims import Settled, claim, settle
from mlpack.planner.gpu_choice import seat
from mlpack.planner.gpu_plan import card_rows, gpu_plan
from mlpack.planner.load_machine import UNMET, bears, machine_for_load
from mlpack.planner.notes import crowded_llms, notes
from mlpack.planner.placement import CONTAINER_TARGETS, published, target_of
from mlpack.planner.service import service_plan, times_of
from mlpack.planner.subject import Catalog, Origin, Subject, packaged_footprint
from mlpack.planner.threads import clashes
from mlpack.planner.timeouts import request_bounds
from mlpack.report import Finding
from mlpack.runtimes import RUNTIMES
from mlpack.runtimes.libraries import library_environment
from mlpack.servers import SERVERS
from mlpack.spec import RuntimeName, Service, Spec

BUILT_IN = Catalog(servers=SERVERS, runtimes=RUNTIMES, library_environment=library_environment)
NO_INFOS: Mapping[str, ModelInfo] = {}
NO_FOOTPRINTS: Mapping[str, Footprint] = {}
NO_REQUIREMENTS: Mapping[str, Sequence[str]] = {}


def make_plan(
    host: HostFacts,
    spec: Spec,
    footprints: Mapping[str, Footprint],
    *,
    profiles: tuple[str, ...],
    origins: Mapping[str, Origin],
    runtimes: Mapping[str, tuple[RuntimeName, ...]],
    requirements: Mapping[str, Sequence[str]] = NO_REQUIREMENTS,
    infos: Mapping[str, ModelInfo] = NO_INFOS,
    on_cards: Mapping[str, Footprint] = NO_FOOTPRINTS,
    catalog: Catalog = BUILT_IN,
) -> Plan:
    """Decide everything about ``spec`` on ``host``.

    ``footprints`` has one process of each service by name; a program without an app of the project may be left out.
    ``origins``: dotted path of the spec -> where its value came from. ``runtimes`` and ``requirements``: by service.
    ``infos``: headers by model, for the alternatives in a refusal. ``on_cards``: one process of each service that could
    run on a card, as it is there.
    Raises DoesNotFit (memory, cores or a card are missing) and SpecError (settings that contradict each other).
    """
    decide = partial(
        _decide,
        spec=spec,
        footprints=footprints,
        profiles=profiles,
        origins=origins,
        runtimes=runtimes,
        requirements=requirements,
        infos=infos,
        on_cards=on_cards,
        catalog=catalog,
    )
    plan, house = decide(host)
    if bears(plan):
        return plan
    hint = machine_for_load(host, lambda other: decide(other)[0], house)
    findings = (f.model_copy(update={"hint": hint}) if f.code == UNMET else f for f in plan.findings)
    return plan.model_copy(update={"findings": tuple(findings)})


def _decide(
    host: HostFacts,
    *,
    spec: Spec,
    footprints: Mapping[str, Footprint],
    profiles: tuple[str, ...],
    origins: Mapping[str, Origin],
    runtimes: Mapping[str, tuple[RuntimeName, ...]],
    requirements: Mapping[str, Sequence[str]],
    infos: Mapping[str, ModelInfo],
    on_cards: Mapping[str, Footprint],
    catalog: Catalog,
) -> tuple[Plan, Household]:
    """The plan for this very host, and the host's share that it was made with."""
    targets = {name: target_of(spec, service) for name, service in spec.services.items()}
    house = household(host, spec, origins, containers=any(target in CONTAINER_TARGETS for target in targets.values()))
    shares = core_shares(spec.services, house.cores.value)
    subjects = {
        name: _subject(
            name,
            service,
            spec,
            cores=shares[name],
            all_cores=house.cores.value,
            read_ahead_bytes=host.memory.read_ahead_bytes,
            footprints=footprints,
            runtimes=runtimes.get(name, ()),
            infos=infos,
            origins=origins,
            catalog=catalog,
        )
        for name, service in spec.services.items()
    }
    seating = seat(host, spec, subjects, on_cards, requirements)
    for name, seated in seating.seated.items():
        subjects[name] = replace(seated.subject, card_seats=seated.seats)
    for subject in subjects.values():
        recycling.require_possible(subject)
        pools.require_possible(subject)
        decided_cpus(subject, 1, house.cores.value)  # a cap beyond the host is refused
    ports = published(subjects)
    balanced = {service.to: name for name, service in spec.services.items() if service.to}
    subjects = {
        name: replace(subject, balanced_by=balanced[name]) if _may_be_many(subject, ports[name], balanced) else subject
        for name, subject in subjects.items()
    }
    settled = settle({name: claim(subject, spec) for name, subject in subjects.items()}, house, spec)
    subjects = {name: one.subject for name, one in settled.items()}
    requests = request_bounds(subjects, {name: one.choice for name, one in settled.items()})
    times = times_of(settled, requests)
    computing = sum(subject.computes for subject in subjects.values())
    plans = {
        name: service_plan(
            one,
            times[name],
            spec,
            catalog,
            requirements.get(name, ()),
            publish=ports[name],
            cores=house.cores,
            crowded=computing > 1 or (computing == 1 and not one.subject.computes),
        )
        for name, one in settled.items()
    }
    plans |= {
        name: plans[name].model_copy(update={"gpu": gpu_plan(seated, seating.cards, plans[name].workers.value)})
        for name, seated in seating.seated.items()
    }
    plan = Plan(
        name=spec.name,
        profiles=profiles,
        spec=spec,
        services=plans,
        budget=BudgetPlan(
            total_bytes=house.total,
            usable_bytes=house.usable,
            cores=house.cores,
            rows=tuple(_row(name, plan) for name, plan in plans.items()),
            cards=card_rows(seating, plans),
        ),
        findings=(*seating.findings, *house.findings, *_findings(settled, plans, spec)),
    )
    return plan, house


def _subject(
    name: str,
    service: Service,
    spec: Spec,
    *,
    cores: float,
    all_cores: float,
    read_ahead_bytes: int | None,
    footprints: Mapping[str, Footprint],
    runtimes: Sequence[RuntimeName],
    infos: Mapping[str, ModelInfo],
    origins: Mapping[str, Origin],
    catalog: Catalog,
) -> Subject:
    server = catalog.servers.get(service.server)
    if server is None:
        known = ", ".join(catalog.servers)
        raise SpecError(f"there is no server {service.server!r}", where=f"services.{name}.server", hint=known)
    loads = [n for n in (spec.load.concurrency, spec.verify.concurrency) if n is not None]
    footprint = footprints.get(name) or packaged_footprint(server.FACTS)
    packaged = all(region.source == "default" for region in footprint.regions)
    return Subject(
        name=name,
        service=service,
        facts=server.FACTS.in_pool(service.pool),
        admission=server.admission(spec, name),
        footprint=footprint,
        runtimes=tuple(catalog.runtimes[runtime].FACTS for runtime in runtimes),
        target=target_of(spec, service),
        cores=cores,
        all_cores=all_cores,
        read_ahead_bytes=read_ahead_bytes,
        origins=origins,
        packaged=packaged,
        infos=tuple(infos[model] for model in service.models if model in infos),
        reload=spec.settings.reload and server.FACTS.role == "app",
        expected_concurrency=max(loads) if loads else None,
        kept_body_bytes=_kept_body_bytes(spec, service),
        joining=connections.joining(spec, name, measured=footprint.source == "measured", cores=all_cores)
        if server.FACTS.client_bytes
        else 0,
    )


def _kept_body_bytes(spec: Spec, proxy: Service) -> int:
    """The largest body that ``proxy`` keeps for asking again; 0 unless the service behind it is repeatable."""
    behind = spec.services.get(proxy.to) if proxy.to is not None else None
    if behind is None or not behind.repeatable:
        return 0
    return min((body for body in (proxy.max_body_bytes, behind.max_body_bytes) if body is not None), default=0)


def _may_be_many(subject: Subject, port: int | None, balanced: Mapping[str, str]) -> bool:
    """The planner may choose its replicas: a proxy before it shares requests out, and the engine starts several."""
    asked = subject.service.replicas is not None
    return (
        subject.name in balanced
        and port is None
        and not (asked or subject.card_seats)
        and subject.target in CONTAINER_TARGETS
    )


def _row(name: str, plan: ServicePlan) -> BudgetRow:
    replicas = plan.replicas.value
    limit = replicas * plan.memory.limit_bytes.value
    return BudgetRow(service=name, replicas=replicas, limit_bytes=limit, cpus=replicas * plan.cpus.value)


def _findings(settled: Mapping[str, Settled], plans: Mapping[str, ServicePlan], spec: Spec) -> list[Finding]:
    found: list[Finding] = []
    for name, one in settled.items():
        found += one.findings
        found += notes(one.subject, one.choice, plans[name], spec.load)
        found += clashes(one.subject, one.choice)
        found += pools.notes(one.subject)
        found += recycling.notes(one.subject, one.choice, plans[name])
    llms = [name for name, one in settled.items() if one.subject.facts.role == "llm"]
    return [*found, *redelivery.notes(spec, plans), *connections.notes(spec, plans), *crowded_llms(plans, spec, llms)]
