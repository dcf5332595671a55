"""Celery, prefork: the parent imports the app, then forks its children, which load the models."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.servers.base import Admission, ServerFacts
from mlpack.spec import Spec
from mlpack.units import MIB

FACTS = ServerFacts(
    name="celery",
    role="worker",
    image=None,
    port=None,
    url=None,
    fork_point="after-import",
    preload_fork_point=None,
    has_master=True,
    chain="queue",
    anonymous_bytes=41 * MIB,
    mapped_bytes=7 * MIB,
    start_s=3.0,
    health_argv=None,
    source="celery 5.7 with redis client, Python 3.11: parent and children 44 MiB anonymous, 12 mapped; a bare "
    "interpreter, 2.8 and 5.7, is taken off. A check by `celery inspect ping` would import the app (facts.md)",
)


def admission(spec: Spec, name: str) -> Admission:
    """A prefork child runs one task at a time."""
    return Admission(natural=1, adjustable=False, enforced_by="Celery's prefork pool: one task per child")


def argv(plan: Plan, name: str) -> tuple[str, ...]:
    """``celery --app ... worker --pool=prefork ... -- settings``. Raises SpecError without an app.

    Late acknowledgement with reject-on-lost redelivers a task whose child was killed (measured; both can be set
    after `--`). `proc_alive_timeout` must exceed a child's start, else replacements are killed after 4 s (measured).
    """
    service = plan.services[name]
    times = service.times
    app = plan.spec.services[name].app
    if app is None:
        raise SpecError("celery needs the app", where=f"services.{name}.app", hint='write `app: "package.tasks:app"`')
    words = ["celery", "--app", app, "worker", "--pool", "prefork"]
    words += ["--concurrency", str(service.workers.value), "--prefetch-multiplier", "1"]
    words += ["--loglevel", plan.spec.settings.log_level]
    if times.soft_s is not None:
        words += ["--soft-time-limit", str(times.soft_s.value)]
    if times.hard_s is not None:
        words += ["--time-limit", str(times.hard_s.value)]
    if service.recycle is not None:
        words += ["--max-tasks-per-child", str(service.recycle.value)]
    words += ["--", "task.acks_late=true", "task.reject_on_worker_lost=true"]
    if times.child_start_s is not None:
        words += [f"worker.proc_alive_timeout={times.child_start_s.value}"]
    return tuple(words)


def config(plan: Plan, name: str) -> Mapping[str, object]:
    """No files: everything is in argv."""
    return {}
