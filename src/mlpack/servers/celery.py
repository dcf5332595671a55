"""Celery. Under prefork the parent imports the app, then forks its children, which load the models.

Under threads and solo the one process does it all: tasks share the models, and nothing enforces Celery's time limits
(`celery/concurrency/thread.py` and `solo.py` take no timeouts; measured, docs/facts.md).
"""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.servers.base import Admission, PoolFacts, ServerFacts
from mlpack.servers.cards import cards_path
from mlpack.servers.heartbeat import with_heartbeat
from mlpack.spec import PoolName, Spec
from mlpack.units import KIB, MIB

PLAIN_THREADS = 2
"""Threads for tasks without models: a second one works while the first waits."""
POOLS: Mapping[PoolName, PoolFacts] = {
    "prefork": PoolFacts(fork_point="after-import", has_master=True, one_process=False),
    "threads": PoolFacts(fork_point="never", has_master=False, one_process=True),
    "solo": PoolFacts(fork_point="never", has_master=False, one_process=True),
}

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
    anonymous_bytes=29 * MIB,
    mapped_bytes=7 * MIB,
    start_s=3.0,
    health_argv=None,
    master_bytes=12 * MIB,
    beats=True,
    pools=POOLS,
    source="celery 5.7 with redis client, Python 3.11: parent and children 44 MiB anonymous, 12 mapped; of these a "
    "bare interpreter takes 2.8 and 5.7, its modules 29 more, and what it does at work 12. A check by `celery inspect "
    "ping` would import the app (facts.md)",
)


def admission(spec: Spec, name: str) -> Admission:
    """A prefork child and a solo worker run one task at a time, threads as many as they are."""
    pool = spec.services[name].pool
    if pool == "threads":
        return Admission(natural=PLAIN_THREADS, adjustable=True, enforced_by="Celery's pool of threads: --concurrency")
    by = (
        "Celery's solo pool: one task after the other"
        if pool == "solo"
        else "Celery's prefork pool: one task per child"
    )
    return Admission(natural=1, adjustable=False, enforced_by=by)


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
    pool = plan.spec.services[name].pool or "prefork"
    at_once = service.workers.value if pool == "prefork" else service.concurrency.value
    cards = cards_path(plan, name)  # every child takes a card before it loads a model
    words = ["python", f"{plan.spec.root_path}/{cards}"] if cards else ["celery"]
    words += ["--app", app, "worker", "--pool", pool]
    words += ["--concurrency", str(at_once), "--prefetch-multiplier", "1"]
    words += ["--loglevel", plan.spec.settings.log_level]
    words = with_heartbeat(plan, name, words)
    if times.soft_s is not None:
        words += ["--soft-time-limit", str(times.soft_s.value)]
    if times.hard_s is not None:
        words += ["--time-limit", str(times.hard_s.value)]
    if service.recycle is not None:
        words += ["--max-tasks-per-child", str(service.recycle.value)]
    if (most := child_kib(plan, name)) is not None:
        words += ["--max-memory-per-child", str(most)]
    words += ["--", "task.acks_late=true"]
    if pool == "prefork":  # nobody else sees that a worker is lost
        words += ["task.reject_on_worker_lost=true"]
    if times.child_start_s is not None:
        words += [f"worker.proc_alive_timeout={times.child_start_s.value}"]
    return tuple(words)


def child_kib(plan: Plan, name: str) -> int | None:
    """KiB resident from which a child is replaced once its task is over (`billiard.pool.Worker`: its `ru_maxrss`).

    What one child holds at its largest task, with everything it shares, and all of the limit's headroom: a child that
    grows so far would cost the container the next time. Only where that was measured, since a number below what a task
    needs replaces a child after every task; children that load models are too dear for it (see ``planner.recycling``).
    """
    service = plan.services[name]
    pool = plan.spec.services[name].pool or "prefork"
    if service.footprint_source != "measured" or pool != "prefork" or plan.spec.services[name].models:
        return None
    one = sum(term.each_bytes for term in service.memory.serve_terms)
    return (one + service.memory.limit_bytes.value - service.memory.serve_bytes) // KIB


def config(plan: Plan, name: str) -> Mapping[str, object]:
    """No files: everything is in argv."""
    return {}
