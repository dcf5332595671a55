"""What is known of a worker that answers nothing: does its health still say 200, and what does it wait for?"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from mlpack.errors import MlpackError
from mlpack.launchers.base import Instance
from mlpack.process import run as run_program
from mlpack.report import Patch
from mlpack.verify.cause import Cause
from mlpack.verify.remedies import remedies
from mlpack.verify.run import Run
from mlpack.verify.seeing import HostEyes, eyes_for
from mlpack.verify.workers import worker_pids

PY_SPY = "py-spy"
PY_SPY_S = 20.0
TIMED_OUT = "timed out"
"""The kind of an answer that did not come."""
LOOK_S = 0.5
IDLE_S = 0.01
"""CPU seconds over a look below which a worker does nothing at all: it waits."""
LOCKS = ("futex",)
"""Kernel functions that a thread sleeps in which waits for a lock of its own process (/proc/PID/task/TID/wchan)."""
STACK_LINES = 12


@dataclass(frozen=True)
class Hung:
    """Evidence about an instance that does not answer. ``kind``: health-green-when-hung, fork-deadlock or hung."""

    words: str
    evidence: tuple[str, ...]
    kind: str
    hint: str
    patches: tuple[Patch, ...] = ()


def hung(run: Run, instance: Instance) -> Hung | None:
    """What ``instance`` does while requests to it time out; None where it cannot be seen or still computes."""
    eyes = eyes_for(instance, run.environ)
    if not isinstance(eyes, HostEyes):
        return None
    service = run.service(instance)
    pids = worker_pids(service.server, service.workers.value, eyes.processes(), eyes.root)
    before = {process.pid: process.cpu_s for process in eyes.processes()}
    time.sleep(LOOK_S)
    idle = [p.pid for p in eyes.processes() if p.pid in pids and p.cpu_s - before.get(p.pid, p.cpu_s) < IDLE_S]
    waiting = [pid for pid in idle if _waits_for_a_lock(pid)]
    if not waiting:
        return None
    stack = _stack(waiting[0])
    evidence = (f"{instance.name}: workers {waiting} compute nothing and sleep in a lock (futex)", *stack)
    if service.preload.value:
        words = f"{instance.name}: its workers wait for a lock that was held when they were forked"
        hint = "load after the fork: preload: false"
        patches = remedies(Cause(words, (), hint, "fork-deadlock"), run.plan, instance.service, run.lock.world.host)
        return Hung(words, evidence, "fork-deadlock", hint, patches)
    if _green(run, instance):
        words = f"{instance.name}: its workers hang, and its health says 200 all the while"
        hint = "health must notice a stuck inference: let it fail when none has been finished for too long"
        return Hung(words, evidence, "health-green-when-hung", hint)
    words = f"{instance.name}: its workers wait for a lock that nobody frees"
    return Hung(words, evidence, "hung", "a deadlock in the app or a library: the stack says where")


def _green(run: Run, instance: Instance) -> bool:
    health = run.service(instance).health
    if health is None or health.path is None or instance.url is None:
        return False
    return run.asking().not_healthy(instance.url, health.path, float(health.timeout_s.value)) is None


def _waits_for_a_lock(pid: int) -> bool:
    """Whether some thread of ``pid`` sleeps in a futex; False where the kernel does not say."""
    for task in Path(f"/proc/{pid}/task").glob("*/wchan"):
        try:
            if any(word in task.read_text() for word in LOCKS):
                return True
        except OSError:
            continue
    return False


def _stack(pid: int) -> tuple[str, ...]:
    """The threads' Python stacks by py-spy, where that is installed and may look."""
    if shutil.which(PY_SPY) is None:
        return (f"install {PY_SPY} beside mlpack to see the stack",)
    try:
        done = run_program((PY_SPY, "dump", "--nonblocking", "--pid", str(pid)), timeout_s=PY_SPY_S, check=False)
    except MlpackError as error:
        return (error.what,)
    if done.code != 0:
        last = (done.stderr.strip() or "no reason given").splitlines()[-1]
        return (f"{PY_SPY} could not look (SYS_PTRACE?): {last}",)
    lines = [line.rstrip() for line in done.stdout.splitlines() if line.strip()]
    return tuple(lines[:STACK_LINES])
