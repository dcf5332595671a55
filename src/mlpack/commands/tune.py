"""``mlpack tune``: searches with real runs, says what it found, and proposes (or makes) the change."""

from __future__ import annotations

import time
from pathlib import Path

from mlpack.commands import fix as fixing
from mlpack.console import progress, say
from mlpack.errors import ExitCode, LockError, UsageError
from mlpack.flow import output_folder
from mlpack.lock import Lock
from mlpack.project import find_root, resolve
from mlpack.servers import SERVERS
from mlpack.tune.place import copied
from mlpack.tune.runner import Runner
from mlpack.tune.search import Attempt, Found, best_workers, candidates, largest_batch, smallest_limit
from mlpack.tune.trial import STATE_NAME, State, inputs_of, read_state
from mlpack.tune.wanted import Wanted
from mlpack.write import read_lock


def tune_command(
    project: Path, profiles: tuple[str, ...], wanted: Wanted, launcher: str, python: Path | None, *, fix: bool
) -> int:
    """Search what ``wanted`` says about deploy/<profiles>; 0 when every search came to its end, 1 when not.

    Trials are kept in tune.json beside the rendered files: a search that was cut off goes on where it was.
    """
    wanted = wanted.checked()
    root = find_root(project)
    folder = output_folder(root, profiles)
    lock = read_lock(folder)
    if lock is None:
        raise LockError("nothing was rendered here", hint=f"render it first: mlpack render {' '.join(profiles)}")
    name = chosen(lock, wanted.service)
    inputs = inputs_of(lock, name)
    file = folder / STATE_NAME
    state = State(inputs_sha256=inputs) if wanted.again else read_state(file, inputs)
    until_s = time.monotonic() + wanted.seconds
    found: list[Found] = []
    weights = [resolve(root, file.path) for info in lock.world.models.values() for file in info.files]
    with copied(root, weights) as place:
        runner = Runner(
            *(place, profiles, name, lock, state, file, until_s),
            say=progress,
            launcher=None if launcher == "auto" else launcher,
            python=python,
        )
        for what in wanted.what:
            found.append(search(what, name, lock, runner.attempt))
    for one in found:
        for line in one.lines:
            say(line)
    patches = tuple(patch for one in found for patch in one.patches)
    for patch in patches:
        say(f"proposed: {patch.path}: {patch.before} -> {patch.after}: {patch.reason}")
    if not patches:
        say("nothing to change: what is rendered is as good as anything that was tried")
    elif fix:
        fixing.apply(root, patches, profiles)
    whole = all(one.whole for one in found)
    if not whole:
        progress("the time was over before the search: the same command goes on where it was")
    return ExitCode.OK if whole else ExitCode.FAILED


def chosen(lock: Lock, service: str | None) -> str:
    """The service to search for: the named one, else the only one that runs models. Raises UsageError."""
    plan = lock.plan
    able = [n for n, one in plan.services.items() if SERVERS[one.server].FACTS.role in ("app", "worker")]
    if service is not None and service not in able:
        raise UsageError(f"{service!r} cannot be tuned", hint=f"one of: {', '.join(able)}")
    with_models = [n for n in able if plan.spec.services[n].models] or able
    if service is None and len(with_models) != 1:
        raise UsageError("which service?", hint=f"--service {' or '.join(with_models or able)}")
    return service or with_models[0]


def search(what: str, name: str, lock: Lock, attempt: Attempt) -> Found:
    """One search about service ``name``."""
    service = lock.plan.services[name]
    if what == "limit":
        return smallest_limit(name, service.memory.limit_bytes.value, attempt)
    if what == "workers":
        cores = max(1, int(service.cpus.value))
        return best_workers(name, candidates(cores, service.workers.value, service.threads.value), attempt)
    models = lock.plan.spec.services[name].models
    inputs = [lock.plan.spec.models[model].max_input for model in models]
    if len(models) != 1:
        raise UsageError(f"{name} runs {len(models)} models", hint="a largest batch is searched for one model only")
    return largest_batch(models[0], inputs[0].batch if inputs[0] is not None else 1, attempt)
