"""A red health check: asked before the models were loaded, frozen, or starved by work? From the check's own record."""

from __future__ import annotations

from collections.abc import Iterator

from mlpack.doctor.facts import Diagnosis, Facts, HealthFacts
from mlpack.units import show_duration

IDLE_CORES = 0.05
"""A process that computes less than this is waiting for something."""
CHECK_CPU_S = 0.2
"""The check itself runs in the container: a Python that starts and asks, on a slow core."""
NOT_THERE = ("refused", "Connection reset", "Couldn't connect", "URLError")
TOOL_MISSING = ("executable file not found", "not found", "No such file")


def ill_health(facts: Facts) -> Iterator[Diagnosis]:
    """Why the engine calls it unhealthy; nothing where it does not."""
    health = facts.health
    if health is None or not facts.running or health.status != "unhealthy":
        return
    evidence = _evidence(facts, health)
    last = health.probes[-1] if health.probes else None
    if last is not None and last.exit_code in (126, 127, -1) and any(word in last.output for word in TOOL_MISSING):
        words = f"the health check of {facts.name} cannot run: its program is not in the image"
        change = "let Python ask (mlpack renders healthcheck.py), or add the program to the image"
        yield Diagnosis(kind="health-cannot-run", words=words, sureness="certain", evidence=evidence, change=change)
    elif not was_healthy(facts, health) and not _idle(facts):
        words = f"health asks {facts.name} too early: it has not once been healthy since its start, and still works"
        period = show_duration(health.start_period_s)
        change = (
            f"a longer start period (now {period}): measure the load time with `mlpack estimate --measure`, or set "
            "health.start_period; whatever kills unhealthy containers kills it before it is loaded"
        )
        yield Diagnosis(kind="health-early", words=words, sureness="likely", evidence=evidence, change=change)
    elif not was_healthy(facts, health):
        words = f"{facts.name} has not once been healthy since its start, and does nothing"
        change = (
            "is the path and port of the check the app's? do its models load at all? `docker logs` says how far it came"
        )
        yield Diagnosis(kind="never-ready", words=words, sureness="likely", evidence=evidence, change=change)
    elif _idle(facts):
        words = f"{facts.name} hangs: it was healthy, answers no more, and computes nothing"
        change = (
            "look where it waits (`py-spy dump --pid 1` in the container); until then restart it. A lock held while "
            "forking (preload), or a call without a time limit are the usual reasons"
        )
        yield Diagnosis(kind="hung", words=words, sureness="likely", evidence=evidence, change=change)
    else:
        words = f"{facts.name} is too busy to answer its health check"
        change = (
            "answer health beside the work (a thread, an async route), ask less at once, or allow the check more time"
        )
        yield Diagnosis(kind="health-busy", words=words, sureness="possible", evidence=evidence, change=change)


def was_healthy(facts: Facts, health: HealthFacts) -> bool:
    """Whether it must have answered once since its start: the failures in a row do not cover its age.

    A check begins an interval after the one before it ended, and failures within the start period are not counted.
    """
    if any(probe.exit_code == 0 for probe in health.probes):
        return True
    if facts.age_s is None:
        return False
    took_s = max([probe.took_s for probe in health.probes], default=health.timeout_s)
    failing_s = health.failing_streak * (health.interval_s + took_s)
    return facts.age_s - health.start_period_s - failing_s > 2 * (health.interval_s + took_s)


def _idle(facts: Facts) -> bool:
    checks = CHECK_CPU_S / max(1.0, facts.health.interval_s) if facts.health else 0.0
    return facts.cpu_cores is not None and facts.cpu_cores < IDLE_CORES + checks


def _evidence(facts: Facts, health: HealthFacts) -> tuple[str, ...]:
    said = [f"{health.failing_streak} health checks failed in a row, every {show_duration(health.interval_s)}"]
    if facts.age_s is not None:
        said.append(f"started {show_duration(facts.age_s)} ago; start period {show_duration(health.start_period_s)}")
    if facts.cpu_cores is not None:
        said.append(f"computes on {facts.cpu_cores:.2f} cores now")
    if health.probes:
        last = health.probes[-1]
        said.append(f"health said last (exit code {last.exit_code}, {show_duration(last.took_s)}): {last.output}")
    return tuple(said)
