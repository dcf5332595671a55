"""How a Celery worker's health is told: in containers by a mark that its parent leaves at every heartbeat, and a look
at its age; in units by the same heartbeat, sent to systemd as a sign of life for its watchdog.

`celery inspect ping` would import the app beside the running one (245 MiB and 3.2 s with torch, facts.md). The mark is
left by the signal `heartbeat_sent` (celery/worker/heartbeat.py), which comes from the loop that takes tasks.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlpack.plan import Plan
from mlpack.servers.paths import deploy_folder

TEMPLATE = "servers/celery/heartbeat.py.j2"
WATCHDOG_TEMPLATE = "targets/systemd/watchdog.py.j2"
SILENT_VARIABLE = "MLPACK_SILENT_S"
LAST_IN_PATH = 'export PYTHONPATH="${PYTHONPATH:+$PYTHONPATH:}$0"; exec "$@"'
OLDEST_S = 30
"""Celery sends one each 2 s; on a machine ten times overloaded 30 s are still none."""


def heartbeat_path(plan: Plan, name: str) -> str | None:
    """The rendered file of service ``name``, relative to the project; None where there is none (units: a watchdog)."""
    if not _beats(plan, name) or plan.services[name].target == "systemd":
        return None
    return f"{deploy_folder(plan.profiles)}/{name}_heartbeat.py"


def watchdog_path(plan: Plan, name: str) -> str | None:
    """The rendered file of service ``name`` where it is a unit; None where nothing is told to systemd.

    A watchdog that ends what nothing starts again would be no help.
    """
    unit = plan.services[name].target == "systemd" and plan.spec.settings.restart != "no"
    if not unit or not _beats(plan, name):
        return None
    return f"{deploy_folder(plan.profiles)}/systemd/{name}_watchdog.py"


def silent_s(plan: Plan, name: str) -> int:
    """How long a unit's worker may say nothing before systemd ends it: as long as the broker waits for its tasks.

    A lost broker makes it silent too. After the redelivery time, twice the hard limit, every task that it had has ended
    or is another's, so that nothing is lost by a restart that was not needed.
    """
    again = plan.services[name].times.redelivery_s
    return max(OLDEST_S, again.value if again else 0)


def forks_tasks(plan: Plan, name: str) -> bool:
    """Its children share the parent's memory: the module also keeps that out of their collectors' sight.

    Two children of torch_app's parent (bench/footprint) whose tasks collect all garbage held 42 MiB more each without.
    """
    return (plan.spec.services[name].pool or "prefork") == "prefork"


def _beats(plan: Plan, name: str) -> bool:
    """A solo worker is deaf during a task, and so sends nothing (measured, facts.md)."""
    return plan.services[name].server == "celery" and plan.spec.services[name].pool != "solo"


def with_heartbeat(plan: Plan, name: str, words: Sequence[str]) -> list[str]:
    """Celery's ``words`` so that it imports the module: images of ours start it in the project's folder.

    Those of the user's own may start it elsewhere. There the module is mounted, and its folder comes last in
    PYTHONPATH, which the image may have set: only a shell in it knows.
    """
    path = heartbeat_path(plan, name)
    if path is None:
        return list(words)
    spec = plan.spec.services[name]
    if not (spec.image or (spec.build and spec.build.dockerfile) or plan.spec.build.dockerfile):
        return [*words, "--include", _module(path)]
    folder, _, file = f"{plan.spec.root_path}/{path}".rpartition("/")
    return ["sh", "-c", LAST_IN_PATH, folder, *words, "--include", _module(file)]


def watchdog_words(plan: Plan, name: str) -> tuple[str, ...]:
    """What a unit's command has more. Not part of Celery's own argv: local processes run that one without units."""
    path = watchdog_path(plan, name)
    return ("--include", _module(path)) if path else ()


def _module(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


def heartbeat_test(plan: Plan, name: str) -> list[str] | None:
    """The check, in the words of a compose file."""
    path = heartbeat_path(plan, name)
    return ["CMD", "python", "-I", "-S", f"{plan.spec.root_path}/{path}", str(OLDEST_S)] if path else None
