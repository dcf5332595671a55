"""Do the services start? Weights and libraries are dropped from the page cache before, so that memory is told true."""

from __future__ import annotations

import time
from pathlib import Path

from mlpack.errors import MlpackError, TransientError
from mlpack.launchers.base import Instance
from mlpack.launchers.process import NAME as PROCESS
from mlpack.launchers.relocate import stand_ins
from mlpack.meter.cache import code_files, evict
from mlpack.project import resolve
from mlpack.verify.asking import Asker
from mlpack.verify.busy import mark
from mlpack.verify.run import Answer, Run
from mlpack.verify.seeing import eyes_for
from mlpack.verify.watch import begin

NAME = "starts"
NEEDS = ("builds",)
PROGRAMS = ("bin/*", "usr/bin/*", "usr/local/bin/*")
SETTLE_S = 1.0
"""A service without a health check counts as started when it has not ended within this; others are waited for."""
PATIENCE = 3.0
"""An answer may take this many times the planned bound: verify asks with more at once than is planned for."""
LEAST_TIMEOUT_S = 10.0


def check(run: Run) -> Answer:
    """Drop the cache, start everything, watch its memory from the first moment."""
    run.cache_warm = _evict(run)
    run.started = mark()
    try:
        run.instances = run.launched.start(lambda instance: _watch(run, instance))
    except TransientError:
        raise
    except MlpackError as error:
        return _not_started(run, error)
    run.asker = _asker(run)
    for instance in run.instances:
        ended = _ended(run, instance) if run.service(instance).health is None else None
        if ended is not None:
            return ended
    names = ", ".join(instance.name for instance in run.instances)
    evidence = tuple(dict.fromkeys(watch.how for watch in run.watches))
    if run.cache_warm is not None:
        evidence += (f"page cache: {run.cache_warm}",)
    return Answer("passed", f"{len(run.instances)} started: {names}", evidence)


def _watch(run: Run, instance: Instance) -> None:
    """Watch ``instance`` from now on: it has just started, others may still wait for it."""
    eyes = eyes_for(instance, run.environ)
    if eyes is not None:
        run.say(f"{instance.name} runs and is watched")
        run.watches = (*run.watches, begin(instance, eyes))


def _not_started(run: Run, error: MlpackError) -> Answer:
    """Why: what the kernel did to those that did start says more than what the launcher noticed."""
    first, *said = error.what.splitlines()
    lines = tuple(line.strip() for line in said)
    for watch in run.watches:
        instance, kills = watch.instance, watch.oom_kills()
        state = instance.state()
        if kills or not state.running:
            cause = run.cause(instance)
            return Answer("failed", cause.words, (*cause.evidence, first, *lines), cause.hint)
    return Answer("failed", first.rstrip(":"), lines, error.hint)


def _ended(run: Run, instance: Instance) -> Answer | None:
    deadline = time.monotonic() + SETTLE_S
    state = instance.state()
    while state.running and time.monotonic() < deadline:
        time.sleep(0.1)
        state = instance.state()
    if state.running:
        return None
    cause = run.cause(instance)
    return Answer("failed", cause.words, cause.evidence, cause.hint)


def _evict(run: Run) -> str | None:
    """Drop model files and libraries from the page cache; why they are not surely cold, None when they are."""
    if run.built.files_unread is not None:
        return run.built.files_unread
    models = [resolve(run.root, file.path) for info in run.lock.world.models.values() for file in info.files]
    files = [file for file in models if file.is_file()]
    files += [*code_files(run.built.files), *_programs(run.built.files)]
    if not files:
        return None
    run.say(f"dropping {len(files)} files from the page cache")
    return evict(files).because() or None


def _programs(folders: tuple[Path, ...]) -> list[Path]:
    """Programs of image layers: an interpreter is mapped like a library."""
    found = [file for folder in folders for place in PROGRAMS for file in folder.glob(place)]
    return [file for file in found if file.is_file() and not file.is_symlink()]


def _asker(run: Run) -> Asker:
    bases: dict[str, str] = {}
    for instance in run.instances:
        if instance.url is not None:
            bases.setdefault(instance.service, instance.url)
    for name, stand_in in stand_ins(run.plan).items() if run.launched.name == PROCESS else ():
        if stand_in in bases:
            bases[name] = bases[stand_in]
    bound = max((service.times.request_s.value for service in run.plan.services.values()), default=0.0)
    timeout_s = max(LEAST_TIMEOUT_S, PATIENCE * bound)
    return Asker(run.plan.spec.requests, bases, run.root, run.environ, timeout_s=timeout_s, secrets=run.secrets)
