"""One service's whole plan, put together from what the deciding modules say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlpack.plan import Decided, ServicePlan, TimePlan
from mlpack.planner import reasons, recycling, threads
from mlpack.planner.budget import decided_cpus
from mlpack.planner.claims import Settled
from mlpack.planner.decide import text
from mlpack.planner.health import health_plan
from mlpack.planner.memory_plan import memory_plan
from mlpack.planner.moments import fork_point
from mlpack.planner.placement import port_of, redirect_port
from mlpack.planner.processes import pids
from mlpack.planner.subject import Catalog, Subject
from mlpack.planner.timeouts import plain_times, proxy_times, queue_times, soft_hard, web_times
from mlpack.runtimes.hub import hub_environment
from mlpack.spec import Spec


def times_of(settled: Mapping[str, Settled], requests: Mapping[str, Decided[float]]) -> dict[str, TimePlan]:
    """Every service's time limits; a proxy's follow from its app's, a queue's redelivery from all its workers."""
    times: dict[str, TimePlan] = {}
    longest = _longest_hard_s(settled, requests)
    for name, one in settled.items():
        subject = one.subject
        if subject.facts.chain == "queue":
            own = soft_hard(requests[name].value)[1]
            shared = max([own, *(longest[broker] for broker in _brokers(settled, subject))])
            times[name] = queue_times(subject, one.choice, requests[name], 2 * shared)
        elif subject.facts.chain == "web" and subject.facts.role != "proxy":
            times[name] = web_times(subject, one.choice, requests[name])
        elif subject.facts.role != "proxy":
            times[name] = plain_times(requests[name], slow_stop=subject.facts.role == "database")
    for name, one in settled.items():
        if one.subject.facts.role == "proxy":
            target = times.get(one.subject.service.to or "")
            times[name] = (
                proxy_times(requests[name], target) if target else plain_times(requests[name], slow_stop=False)
            )
    return {name: times[name] for name in settled}


def service_plan(
    settled: Settled,
    times: TimePlan,
    spec: Spec,
    catalog: Catalog,
    requirements: Sequence[str],
    *,
    publish: int | None,
    cores: Decided[float],
    crowded: bool,
) -> ServicePlan:
    """The plan of one service. ``crowded``: other services compute on the same cores."""
    subject, choice = settled.subject, settled.choice
    worker_class = subject.admission.worker_class
    recycle = recycling.decided(subject, choice, settled.sum_, settled.limit.value)
    shared = crowded or threads.teams(subject, choice.workers, choice.concurrency) * choice.replicas > 1
    return ServicePlan(
        server=subject.service.server,
        target=subject.target,
        device="gpu" if subject.card_seats else "cpu",
        runtimes=tuple(runtime.name for runtime in subject.runtimes),
        replicas=reasons.decided_replicas(subject, choice),
        workers=reasons.decided_workers(subject, choice, (settled.fitting, settled.ways), spec.objective),
        threads=threads.decided(subject, choice),
        concurrency=reasons.decided_concurrency(subject, choice),
        enforced_by=subject.admission.enforced_by,
        preload=reasons.decided_preload(subject, choice),
        fork_point=fork_point(subject, choice),
        load_in_turn=reasons.decided_in_turn(subject, choice, settled.together_bytes),
        recycle=recycle,
        recycle_jitter=recycling.jitter(choice, recycle),
        worker_class=None
        if worker_class is None
        else text(value=worker_class, source="calculated", because=f"what {subject.facts.name} runs this app with"),
        port=port_of(subject),
        publish=publish,
        redirect_port=redirect_port(subject, publish),
        cpus=decided_cpus(subject, choice.workers, cores.value),
        pids=pids(subject, choice, cores.value),
        memory=memory_plan(subject, choice, settled.sum_, settled.limit),
        times=times,
        health=health_plan(subject, choice, times.request_s.value),
        environment=_environment(settled, spec, catalog, requirements, shared_cores=shared),
        footprint_source="default" if subject.packaged else subject.footprint.source,
    )


def _environment(
    settled: Settled, spec: Spec, catalog: Catalog, requirements: Sequence[str], *, shared_cores: bool
) -> dict[str, Decided[str]]:
    """Threads of every library, and no waiting for a hub where all models of transformers are files. Sorted."""
    subject = settled.subject
    variables = threads.environment(subject, settled.choice, catalog, requirements, shared_cores=shared_cores)
    if any(runtime.name == "transformers" for runtime in subject.runtimes):
        offline = hub_environment([spec.models[name] for name in subject.service.models])
        variables |= {name: value for name, value in offline.items() if name not in subject.service.env}
    return {name: variables[name] for name in sorted(variables)}


def _longest_hard_s(settled: Mapping[str, Settled], requests: Mapping[str, Decided[float]]) -> dict[str, int]:
    """Broker -> longest hard limit of the queue workers that share it: a broker has one redelivery time for all."""
    longest: dict[str, int] = {}
    for name, one in settled.items():
        if one.subject.facts.chain == "queue":
            hard = soft_hard(requests[name].value)[1]
            for broker in _brokers(settled, one.subject):
                longest[broker] = max(hard, longest.get(broker, 0))
    return longest


def _brokers(settled: Mapping[str, Settled], subject: Subject) -> set[str]:
    named = {value.of for value in subject.service.env.values() if value.of}
    return {name for name in named if name in settled and settled[name].subject.facts.role == "broker"}
