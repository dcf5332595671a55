"""Do no more threads compute at once than planned? Files may say 1 and the app's own pool 40: asked with a burst."""

from __future__ import annotations

from pathlib import Path

from mlpack.launchers.base import Instance
from mlpack.report import Patch
from mlpack.servers import SERVERS
from mlpack.units import counted, show_duration
from mlpack.verify.asking import largest
from mlpack.verify.computing import computed, spent_while
from mlpack.verify.run import Answer, Run
from mlpack.verify.seeing import HostEyes, eyes_for
from mlpack.verify.workers import worker_pids

NAME = "threads"
NEEDS = ("load",)
SLACK = 2
"""Threads beyond requests x threads that may compute: the event loop, a tokenizer's or a garbage collector's."""
MORE = 2
"""Requests for each worker beyond what may compute at once: one that computes is too many, and however the kernel
spreads a burst, the worker with the most of it has at least these."""
MOST_AT_ONCE = 64
MOST_S = 20.0
"""What a burst may take; slower requests are not tried."""


def check(run: Run) -> Answer:
    """A burst at each web service that computes; every worker's threads are counted by their CPU time."""
    evidence: list[str] = []
    wrong: list[str] = []
    patches: list[Patch] = []
    for name in dict.fromkeys(instance.service for instance in run.instances):
        # what runs no model may have threads for waiting: what they compute is not what memory is planned for
        if SERVERS[run.plan.services[name].server].FACTS.role == "app" and run.plan.services[name].runtimes:
            _ask(run, name, evidence, wrong, patches)
    if wrong:
        hint = "make the app bound what it handles at once (`env: {X: {from: web.concurrency}}` tells it the number), "
        hint += "or plan for what it does"
        return Answer("failed", wrong[0], (*wrong[1:], *evidence), hint, tuple(patches), "unbounded-concurrency")
    if not evidence:
        return Answer("passed", "no web service computes")
    return Answer("passed", "no more threads compute at once than planned", tuple(evidence))


def _ask(run: Run, name: str, evidence: list[str], wrong: list[str], patches: list[Patch]) -> None:
    service = run.plan.services[name]
    names = [n for n in largest(run.plan.spec.requests) if name in run.services_of(n)]
    pids = {pid: instance for instance in run.instances if instance.service == name for pid in _workers(run, instance)}
    if not names or not pids:
        return
    allowed = service.threads.value * service.concurrency.value + SLACK
    each = allowed + MORE
    burst = each * len(pids)
    alone_s = run.alone_s.get(names[0], 0.0)
    if burst > MOST_AT_ONCE or (alone_s * each > MOST_S and not run.thorough):
        why = f"a burst of {burst}, beyond what is planned to be handled at once, "
        why += f"would take {show_duration(alone_s * each)} (--thorough tries it)"
        why = why if burst <= MOST_AT_ONCE else f"a burst of {burst} is too many"
        evidence.append(f"{name}: not tried: {why}")
        return
    run.say(f"{name}: {burst} of {names[0]} at once")
    spent = spent_while(Path("/proc"), pids, lambda: run.asking().together(names[0], burst))
    total_s = sum(sum(threads.values()) for threads in spent.values()) or 1.0
    counts = {pid: computed(spent[pid], burst * sum(spent[pid].values()) / total_s) for pid in pids}
    pid, most = max(counts.items(), key=lambda item: item[1])
    planned = (
        f"{counted(service.concurrency.value, 'request')} x {counted(service.threads.value, 'thread')} planned "
        f"(bounded by {service.enforced_by})"
    )
    line = f"{name}: {counted(most, 'thread')} of worker {pid} computed for a burst of {burst} requests; {planned}"
    if most <= allowed:
        evidence.append(line)
        return
    wrong.append(line)
    patches.append(
        Patch(
            path=f"services.{name}.concurrency",
            before=str(service.concurrency.value),
            after=max(service.concurrency.value + 1, most // service.threads.value),
            reason="as many requests were handled at once: the plan must count their memory, unless the app bounds it",
        )
    )


def _workers(run: Run, instance: Instance) -> tuple[int, ...]:
    """Its workers, as far as this machine's /proc shows them."""
    eyes = eyes_for(instance, run.environ)
    if not isinstance(eyes, HostEyes):
        return ()
    service = run.service(instance)
    return worker_pids(service.server, service.workers.value, eyes.processes(), eyes.root)
