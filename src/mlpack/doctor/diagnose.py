"""What is wrong, as a pure function of Facts: what was counted before what was said, what was said before what fits.

Log lines are read by ``verify.cause``, which verification uses too: one list of signs for both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mlpack.doctor.facts import Diagnosis, Facts, Sureness
from mlpack.doctor.health import ill_health
from mlpack.doctor.start import never_started, not_started
from mlpack.launchers.base import State
from mlpack.units import counted, show_bytes, show_mib
from mlpack.verify.cause import Cause, likely_cause

LOOP = 3
"""Restarts from which on it is a loop: one or two may be a broker that came late."""
FULL_SHARE = 0.99
TIGHT_SHARE = 0.97
STOPPED = {0: "by itself", 143: "on request (SIGTERM)", 130: "on request (Ctrl-C)"}
HOST_OOM = "CONSTRAINT_NONE"
"""The machine as a whole had no memory left; a limit's kill says CONSTRAINT_MEMCG. Source: mm/oom_kill.c."""


def diagnose(facts: Facts) -> tuple[Diagnosis, ...]:
    """Every illness of one patient, the root of it first; none of them: healthy."""
    if facts.done:
        return tuple(_out_of_memory(facts))  # what its log says of failures, it got over
    found: list[Diagnosis] = []
    for look in (_out_of_memory, not_started, _said, ill_health, _full, _tight, _loop, _ended, never_started):
        for one in look(facts):
            if one.kind not in {known.kind for known in found} and not (look in SECONDARY and found):
                found.append(one)
    return tuple(found)


def cause_of(facts: Facts) -> Cause:
    """What its state and logs say, as verification reads them."""
    code = facts.exit_code if facts.exit_code is not None else (facts.deaths[-1].exit_code if facts.deaths else None)
    state = State(facts.status, running=facts.running and not _loops(facts), exit_code=code)
    logs = (*facts.logs, facts.error) if facts.error else facts.logs
    return likely_cause(facts.name, state, 0, logs)


def _out_of_memory(facts: Facts) -> Iterator[Diagnosis]:
    counted_kills = facts.oom_kills or 0
    if any(HOST_OOM in line for line in facts.kernel):
        change = "this machine has too little memory for all that runs on it: limits must add up to less than it has"
        words = f"the machine itself ran out of memory, and the kernel chose {facts.name}"
        yield Diagnosis(kind="host-oom", words=words, sureness="certain", evidence=facts.kernel, change=change)
        return
    if not (facts.oom_killed or counted_kills or facts.oom_events or facts.kernel):
        return
    limit = show_mib(facts.limit_bytes) if facts.limit_bytes else "none of its own"
    evidence = [f"its memory limit is {limit}"]
    if facts.oom_killed:
        evidence.append("the engine says OOMKilled" if facts.kind == "container" else "systemd says Result=oom-kill")
    if counted_kills:
        evidence.append(f"its control group counts {counted(counted_kills, 'kill')} (oom_kill)")
    if facts.oom_events:
        evidence.append(f"the engine noticed {counted(facts.oom_events, 'memory kill')}")
    if facts.planned_limit_bytes and facts.limit_bytes and facts.limit_bytes < facts.planned_limit_bytes:
        evidence.append(f"the plan's limit is {show_mib(facts.planned_limit_bytes)}: it runs with another")
    whole = "it ended" if not facts.running else "it was started again" if facts.restarts else "a child of it"
    change = "measure (`mlpack estimate --measure`), then render again; or fewer workers, or a smaller largest input"
    words = f"the kernel killed a process of {facts.name} at its memory limit ({whole})"
    yield Diagnosis(kind="oom", words=words, sureness="certain", evidence=(*evidence, *facts.kernel), change=change)


def _said(facts: Facts) -> Iterator[Diagnosis]:
    if facts.status == "created":
        return
    cause = cause_of(facts)
    if cause.kind is None or not cause.words or cause.kind == "killed":
        return
    sureness: Sureness = "certain" if cause.kind in ("timeout-kill", "architecture", "no-command") else "likely"
    yield Diagnosis(kind=cause.kind, words=cause.words, sureness=sureness, evidence=cause.evidence, change=cause.hint)


def _full(facts: Facts) -> Iterator[Diagnosis]:
    for one in facts.file_systems:
        used = one.size_bytes - one.free_bytes
        if one.size_bytes and used / one.size_bytes >= FULL_SHARE:
            shm = one.mount == "/dev/shm"
            change = (
                "hand less over through shared memory, or a larger shm_size; its pages count against the memory limit"
                if shm
                else "make room there, or bound what the app writes; a tmpfs counts against the memory limit"
            )
            yield Diagnosis(
                kind="shm-full" if shm else "disk-full",
                words=f"{one.mount} in {facts.name} is full",
                sureness="certain",
                evidence=(f"{one.mount}: {show_bytes(used)} of {show_bytes(one.size_bytes)} used",),
                change=change,
            )


def _tight(facts: Facts) -> Iterator[Diagnosis]:
    if facts.limit_bytes and facts.need_bytes and facts.need_bytes > TIGHT_SHARE * facts.limit_bytes:
        needs, limit = show_mib(facts.need_bytes), show_mib(facts.limit_bytes)
        words = (
            f"{facts.name} is at its memory limit: what it maps is read from disk again and again, or it is killed next"
        )
        evidence = (f"needs {needs} of {limit}, mapped files not counted",)
        change = "a higher limit, or fewer workers: measure with `mlpack estimate --measure`"
        yield Diagnosis(kind="memory-tight", words=words, sureness="likely", evidence=evidence, change=change)


def _loop(facts: Facts) -> Iterator[Diagnosis]:
    if _loops(facts):
        codes = ", ".join(str(one.exit_code) for one in facts.deaths[-5:])
        evidence = (f"{counted(facts.restarts, 'restart')}", *((f"exit codes so far: {codes}",) if codes else ()))
        yield Diagnosis(
            kind="restart-loop",
            words=f"{facts.name} ends soon after every start",
            sureness="certain",
            evidence=evidence,
            change="what makes it end is said above; its log's first error is the cause, later ones follow from it",
        )


def _ended(facts: Facts) -> Iterator[Diagnosis]:
    """Nothing else is known: it is down, and that is all."""
    if facts.running or facts.exit_code is None:
        return
    code = facts.exit_code
    logs = cause_of(facts).evidence
    if code in STOPPED:
        change = "start it again if that was not meant"
        words = f"{facts.name} does not run: it ended {STOPPED[code]}"
        yield Diagnosis(
            kind="stopped", words=words, sureness="likely", evidence=(f"exit code {code}", *logs), change=change
        )
    elif code == 137:
        words = f"{facts.name} was killed (SIGKILL) from outside"
        change = (
            "was it stopped, and longer in its work than its grace period? stop_grace_period covers the longest request"
        )
        evidence = ("exit code 137", "no memory kill was counted by engine, control group or kernel", *logs)
        yield Diagnosis(kind="killed", words=words, sureness="likely", evidence=evidence, change=change)
    else:
        words = f"{facts.name} ended with exit code {code}"
        yield Diagnosis(kind="ended", words=words, sureness="certain", evidence=logs, change="its log says why")


def _loops(facts: Facts) -> bool:
    return facts.restarts >= LOOP or facts.status == "restarting" or facts.error == "start-limit-hit"


SECONDARY: tuple[Callable[[Facts], Iterator[Diagnosis]], ...] = (_ended, never_started)
"""Said only where nothing else explains it."""
