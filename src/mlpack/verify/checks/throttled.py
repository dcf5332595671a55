"""Do the services wait for their CPU quota under load? Then more of their threads run than the plan counts."""

from __future__ import annotations

import math

from mlpack.report import Patch
from mlpack.units import show_duration
from mlpack.verify.run import Answer, Run
from mlpack.verify.watch import Watch

NAME = "throttled"
NEEDS = ("load",)
SHARE = 0.25
"""Of the load's time (on each core of the quota) spent waiting. The kernel hands the quota out in slices of 5 ms per
100 ms: services that just fill their quota wait for a few per cent."""
OFTEN, OFTEN_SHARE = 0.5, 0.05
"""Throttled in half of all periods, a smaller share of the time is enough: kernels from 6.17 on count the wait of
threads that sleep on the way to it less."""
LEAST_S = 0.5


def check(run: Run) -> Answer:
    """Compare throttled time during the load with its length."""
    assert run.load is not None
    evidence: list[str] = []
    wrong: list[str] = []
    patches: list[Patch] = []
    for watch in run.watches:
        service, name = run.service(watch.instance), watch.instance.name
        waited_s = throttled_s(watch)
        if waited_s is None:
            evidence.append(f"{name}: nothing counts its CPU quota here")
            continue
        cpus = service.cpus.value
        share = waited_s / max(1e-9, run.load.duration_s * max(1, math.ceil(cpus)))
        line = f"{name}: waited {show_duration(waited_s)} for its {cpus:g} CPUs, {share:.0%} of the load's time"
        computing = service.workers.value * service.threads.value
        often = throttled_share(watch) > OFTEN and share > OFTEN_SHARE
        if waited_s < LEAST_S or not (share > SHARE or often):
            evidence.append(line)
        elif computing > cpus:
            evidence.append(f"{line}; planned so: {computing} threads share them")
        else:
            wrong.append(f"{line}, though only {computing} threads are planned to compute")
            patches.append(
                Patch(
                    path=f"services.{watch.instance.service}.cpus",
                    before=f"{cpus:g}",
                    after=math.ceil(cpus) + 1,
                    reason="its threads want more than the quota: find out which (a library's pool?), or give it more",
                )
            )
    if wrong:
        hint = "a library starts more threads than it was told to: see the thread variables in DEPLOYMENT.md"
        return Answer("failed", wrong[0], (*wrong[1:], *evidence), hint, tuple(patches), "throttled")
    return Answer("passed", "no service waits for its CPU quota", tuple(evidence))


def throttled_s(watch: Watch) -> float | None:
    """Seconds throttled during the load; None where nobody counts."""
    first, last = watch.before_load, watch.after_load
    if not watch.own_group or first is None or last is None:
        return None
    if first.throttled_s is None or last.throttled_s is None:
        return None
    return last.throttled_s - first.throttled_s


def throttled_share(watch: Watch) -> float:
    """Of the quota's periods during the load, how many were used up before their end; 0 where nobody counts."""
    first, last = watch.before_load, watch.after_load
    if first is None or last is None or None in (first.periods, first.throttled_periods):
        return 0.0
    periods = (last.periods or 0) - (first.periods or 0)
    return ((last.throttled_periods or 0) - (first.throttled_periods or 0)) / periods if periods > 0 else 0.0
