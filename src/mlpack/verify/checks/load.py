"""Does it bear more at once than planned: no error at twice the planned concurrency, and p95?"""

from __future__ import annotations

from mlpack.client.load import MAX_CONCURRENCY, Enough
from mlpack.launchers.relocate import left_out
from mlpack.report import Patch
from mlpack.servers.nginx import burst
from mlpack.spec import USUAL_LOAD
from mlpack.units import show_duration
from mlpack.verify.asking import Asked, Asker, mixed
from mlpack.verify.hung import TIMED_OUT, hung
from mlpack.verify.polling import polling
from mlpack.verify.run import Answer, Run

NAME = "load"
NEEDS = ("answers",)
USUAL_S = 10.0
TURNS = 10
"""The usual number of requests is cut to what ``USUAL_S`` take, but never below so many for each in flight: peaks show
in the first few, p95 needs some dozens."""
OVER = 2
"""Times the planned concurrency: queues must form, and hold."""
DEADLINE_S = 60.0
SLOWER = 4.0
"""A deadline for the whole: this many times what the requests would take one after the other."""
SHOWN = 5


def check(run: Run) -> Answer:
    """Send the load, counting what went wrong by kind."""
    spec = run.plan.spec
    if not spec.requests:
        return Answer("not_proven", "mlpack.yaml has no requests", hint="add one with its expected answer")
    names = mixed(spec.requests)
    concurrency = spec.verify.concurrency or spec.load.concurrency or OVER * planned_concurrency(run, names)
    concurrency = max(1, min(MAX_CONCURRENCY, concurrency))
    run.alone_s = {name: run.asking().ask(name).elapsed_s for name in names}
    alone_s = max(run.alone_s.values())
    count, enough = how_many(spec.verify.requests, concurrency)
    fewer = "" if enough is None else f" ({enough.requests} where they take long)"
    run.say(f"load: {count} requests{fewer}, {concurrency} at once (the largest alone takes {show_duration(alone_s)})")
    done, wrong = 0, list[str]()

    def saw(asked: Asked) -> None:
        nonlocal done
        done += 1
        wrong.extend(asked.words[: SHOWN - len(wrong)])
        if done % max(1, count // 10) == 0:
            run.say(f"load: {done} of {count} answered" if enough is None else f"load: {done} answered")

    for watch in run.watches:
        watch.mark_load_start()
    ways, past = way_round(run, names, concurrency)
    for line in past:
        run.say(f"load: {line}")
    with polling(run):
        deadline_s = DEADLINE_S + SLOWER * (count if enough is None else enough.requests) * alone_s
        run.load = run.asking().load(names, count, concurrency, deadline_s, saw, ways=ways, enough=enough)
    run.load_requests = run.load.requests
    for watch in run.watches:
        watch.mark_load_end()
    return _judge(run, tuple(wrong), past)


def how_many(asked: int, concurrency: int) -> tuple[int, Enough | None]:
    """Requests to send, and when fewer of them will do; what the user asked for is sent to the last."""
    return asked, None if asked != USUAL_LOAD else Enough(min(asked, TURNS * concurrency), USUAL_S)


def planned_concurrency(run: Run, names: tuple[str, ...]) -> int:
    """Requests that the services behind ``names`` were planned to handle at once: replicas x workers x concurrency."""
    reached = {service for name in names for service in run.services_of(name)} - set(left_out(run.plan))
    plans = [run.plan.services[name] for name in reached]
    return max((p.replicas.value * p.workers.value * p.concurrency.value for p in plans), default=1)


def way_round(run: Run, names: tuple[str, ...], concurrency: int) -> tuple[tuple[Asker, ...], tuple[str, ...]]:
    """Ways past a proxy that would refuse this load, and why; empty where it goes as users' requests do.

    A rate bounds each client, and the load comes from one: with no more at once than the proxy lets wait (its burst, a
    second's worth), nobody is refused; more stand for many clients, whom this machine cannot be.
    """
    for name in sorted({service for request in names for service in run.services_of(request)}):
        service = run.plan.spec.services[name]
        if service.rate_per_s is None or service.to is None or concurrency <= burst(service.rate_per_s):
            continue
        behind = [instance for instance in run.instances if instance.service == service.to and instance.url]
        if behind:
            line = f"past {name}, which lets one client ask {service.rate_per_s:g} times a second: 429 is its job"
            return tuple(run.asking_at(instance) for instance in behind), (line,)
    return (), ()


def _judge(run: Run, wrong: tuple[str, ...], past: tuple[str, ...]) -> Answer:
    load = run.load
    assert load is not None
    spec = run.plan.spec
    numbers = (
        f"{load.requests} requests, {load.concurrency} at once: {load.requests_per_s:.3g}/s, p50 "
        f"{show_duration(load.p50_s)}, p95 {show_duration(load.p95_s)}, slowest {show_duration(load.max_s)}"
    )
    if load.errors:
        kinds = tuple(f"{count} x {kind}" for kind, count in load.error_kinds.items())
        evidence, words, hint = [*kinds, *wrong, numbers], f"{load.errors} of {load.requests} requests failed", None
        kind: str | None = None
        patches: tuple[Patch, ...] = ()
        for instance in run.instances:
            cause = run.cause(instance)
            if cause.words:
                words += f"; {cause.words}"
                evidence += cause.evidence
                hint = cause.hint
            stuck = hung(run, instance) if TIMED_OUT in load.error_kinds and not cause.words else None
            if stuck is not None:
                kind, patches = stuck.kind, stuck.patches
                words, hint = f"{words}; {stuck.words}", stuck.hint
                evidence += stuck.evidence
        hint = hint or "lower the concurrency, or raise the timeouts"
        return Answer("failed", words, tuple(evidence), hint, patches, kind)
    goal_s = spec.verify.p95_s or spec.load.p95_s
    if goal_s is not None and load.p95_s > goal_s:
        words = f"p95 is {show_duration(load.p95_s)}, the goal is {show_duration(goal_s)}"
        return Answer("failed", words, (numbers,), "more cores, or fewer requests at once")
    bound_s = max(service.times.request_s.value for service in run.plan.services.values())
    if load.max_s > bound_s:
        late = f"the slowest took {show_duration(load.max_s)}, longer than the {show_duration(bound_s)} planned for one"
        return Answer("passed", f"no error; {numbers}", (late, *past))
    return Answer("passed", f"no error; {numbers}", past)
