"""Has every worker process answered an inference rightly? One that never did may be hung, or never have loaded."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from mlpack.launchers.base import Instance
from mlpack.units import show_duration
from mlpack.verify.asking import Asked, largest
from mlpack.verify.hung import TIMED_OUT, hung
from mlpack.verify.run import Answer, Run
from mlpack.verify.seeing import ContainerEyes, HostEyes, eyes_for
from mlpack.verify.workers import spent_s, who_answered, who_took_part, worker_pids

NAME = "every_worker"
NEEDS = ("ready",)
LEAST_S, MOST_S = 30.0, 300.0
MISSING_S = 10.0
"""A worker that is not there may be about to be started again; not for longer than this on end."""
SINGLES = 4
"""One-by-one requests per worker, before bursts: an idle kernel tends to wake the same worker again."""
TWICE = 2
"""Bursts in which a worker must take part: a health check that falls into one burst looks like a small request."""


def check(run: Run) -> Answer:
    """Ask until each worker of each service that requests reach has been seen to answer."""
    spec = run.plan.spec
    if not spec.requests:
        return Answer("not_proven", "mlpack.yaml has no requests", hint="add one with its expected answer")
    evidence: list[str] = []
    for instance in run.instances:
        names = [name for name in largest(spec.requests) if instance.service in run.services_of(name)]
        if not names:
            continue
        eyes = eyes_for(instance, run.environ)
        if eyes is None:
            cause = run.cause(instance)
            return Answer("failed", cause.words or f"{instance.name} is gone", cause.evidence, cause.hint)
        outcome = _prove(run, instance, eyes, names[0])
        if isinstance(outcome, Answer):
            return outcome
        evidence.append(outcome)
    return Answer("passed", "every worker has answered an inference", tuple(evidence))


def _prove(run: Run, instance: Instance, eyes: HostEyes | ContainerEyes, name: str) -> Answer | str:
    service = run.service(instance)
    planned, workers = service.workers.value, _Workers(run, instance, eyes)
    bound_s = max(LEAST_S, min(MOST_S, 4 * planned * service.times.request_s.value))
    asker = run.asking_at(instance)
    start_s = there_s = time.monotonic()
    requests = singles = bursts = 0
    while not workers.all_proven(planned):
        now_s = time.monotonic()
        elapsed_s, there_s = now_s - start_s, now_s if len(workers.living()) >= planned else there_s
        if elapsed_s > bound_s or now_s - there_s > MISSING_S:
            return _unproven(run, instance, workers, requests, elapsed_s)
        if singles < SINGLES * planned:
            singles += 1
            asked = [workers.single(lambda: asker.ask(name))]
        else:
            bursts += 1
            count = min(32, planned * service.concurrency.value + planned)
            asked = workers.burst(lambda count=count: asker.together(name, count))  # type: ignore[misc]
        requests += len(asked)
        wrong = next((one for one in asked if not one.right), None)
        if wrong is not None:
            return _wrong(run, instance, workers, wrong)
    elapsed = show_duration(time.monotonic() - start_s)
    return f"{instance.name}: {planned} of {planned} workers, in {requests} right answers ({elapsed})"


class _Workers:
    """Which workers there are, and which have been seen to answer."""

    def __init__(self, run: Run, instance: Instance, eyes: HostEyes | ContainerEyes) -> None:
        self._service, self._eyes = run.service(instance), eyes
        self._costs: list[float] = []
        self._took_part: dict[int, int] = {}
        self.proven: set[int] = set()
        self.last: int | None = None

    def living(self) -> dict[int, float]:
        """pid -> CPU seconds of each worker."""
        processes = self._eyes.processes()
        pids = worker_pids(self._service.server, self._service.workers.value, processes, self._eyes.root)
        return {process.pid: process.cpu_s for process in processes if process.pid in pids}

    def all_proven(self, planned: int) -> bool:
        """As many workers as planned live, and each has answered."""
        now = self.living().keys()
        return len(now) >= planned and now <= self.proven

    def single(self, ask: Callable[[], Asked]) -> Asked:
        """One request; credits whoever alone computed."""
        before = self.living()
        asked = ask()
        spent = spent_s(before, self.living())
        self.last = who_answered(spent)
        if self.last is not None and asked.right:
            self.proven.add(self.last)
            self._costs.append(spent[self.last])
        return asked

    def burst(self, ask: Callable[[], list[Asked]]) -> list[Asked]:
        """Several at once; credits those that computed enough for a request, twice."""
        before = self.living()
        asked = ask()
        spent = spent_s(before, self.living())
        self.last = None
        if all(one.right for one in asked):
            for pid in who_took_part(spent, median(self._costs) if self._costs else 0.0):
                self._took_part[pid] = self._took_part.get(pid, 0) + 1
                if self._took_part[pid] >= TWICE:
                    self.proven.add(pid)
        return asked


def _unproven(run: Run, instance: Instance, workers: _Workers, requests: int, elapsed_s: float) -> Answer:
    planned = run.service(instance).workers.value
    living = workers.living().keys()
    silent = sorted(living - workers.proven)
    cause = run.cause(instance)
    counts = f"{len(living & workers.proven)} of {planned} workers answered within {show_duration(elapsed_s)}"
    if len(living) < planned:
        words = f"{instance.name}: only {len(living)} of {planned} workers live; {counts}"
    else:
        words = f"{instance.name}: {counts}"
    evidence = (f"{requests} requests, all answered rightly", f"silent workers: {silent or 'none'}", *cause.evidence)
    if cause.words:
        words += f"; {cause.words}"
    hint = cause.hint or "a worker that never answers may hang after a fork: preload: false; or it is never given work"
    return Answer("failed", words, evidence, hint)


def _wrong(run: Run, instance: Instance, workers: _Workers, wrong: Asked) -> Answer:
    cause = run.cause_of_answer(instance)
    who = f" (worker {workers.last})" if workers.last is not None else ""
    words = f"{instance.name}: an answer went wrong{who}: {wrong.kind}"
    if cause.words:
        words += f"; {cause.words}"
    stuck = hung(run, instance) if wrong.kind == TIMED_OUT and not cause.words else None
    if stuck is not None:
        evidence = (*wrong.words, *stuck.evidence)
        return Answer("failed", f"{words}; {stuck.words}", evidence, stuck.hint, stuck.patches, stuck.kind)
    hint = cause.hint or "some workers answer and one does not: did it load another model, or none?"
    return Answer("failed", words, (*wrong.words, *cause.evidence), hint)
