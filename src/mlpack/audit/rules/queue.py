"""The queue: settings that lose tasks, limits that do nothing or contradict each other, workers that crowd an LLM."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlpack.audit.deployment import Deployment, Service
from mlpack.audit.finding import Hit, Rule
from mlpack.audit.place import Said

VISIBILITY_S = 3600
"""Redis' visibility timeout by default: kombu redelivers what is not acknowledged by then."""
_LLM_TIMEOUT = re.compile(r"(OLLAMA|LLM|REQUEST|OPENAI)\w*TIMEOUT")


def task_workers(deployment: Deployment) -> list[Service]:
    """Celery's workers; not beat, nor flower."""
    return [
        one
        for one in deployment.services
        if one.program.kind == "celery" and re.search(r"\bworker\b", one.program.text)
    ]


def _said(deployment: Deployment, one: Service, *names: str) -> Said | None:
    found = [one.program.options[name] for name in names if name in one.program.options]
    found += [deployment.code.settings[name] for name in names if name in deployment.code.settings]
    return found[0] if found else None


def lost(deployment: Deployment) -> Iterator[Hit]:
    """Tasks lost with the child that ran them."""
    for one in task_workers(deployment):
        late = _said(
            deployment,
            one,
            "task.acks_late",
            "task_acks_late",
            "acks_late",
            "celery_task_acks_late",
            "celery_acks_late",
        )
        reject = _said(
            deployment,
            one,
            "task.reject_on_worker_lost",
            "task_reject_on_worker_lost",
            "reject_on_worker_lost",
            "celery_task_reject_on_worker_lost",
        )
        if late is not None and reject is None:
            yield Hit(
                late.place,
                one.name,
                "acks_late without reject_on_worker_lost",
                "-- task.acks_late=true task.reject_on_worker_lost=true",
                "a task whose child is killed (memory, time limit) is acknowledged and lost all the same",
                "warning" if deployment.code.read else "note",
            )
        elif late is None:
            yield Hit(
                one.program.place,
                one.name,
                "acks_late not set",
                "-- task.acks_late=true task.reject_on_worker_lost=true, attempts bounded",
                "a task is acknowledged before it runs: whatever a killed worker had is lost",
                "warning" if deployment.code.read else "note",
            )


def pool(deployment: Deployment) -> Iterator[Hit]:
    """Time limits that do nothing."""
    for one in task_workers(deployment):
        said, limit = one.program.options.get("pool"), one.program.options.get("time-limit")
        if said and limit and said.text in ("solo", "threads", "gevent", "eventlet"):
            yield Hit(
                limit.place,
                one.name,
                f"--pool {said.text} --time-limit {limit.text}",
                "--pool prefork --concurrency 1",
                "only prefork enforces time limits; under solo the worker is deaf during a task",
            )


def limits(deployment: Deployment) -> Iterator[Hit]:
    """Soft above hard; above the redelivery; decorators against flags."""
    for one in task_workers(deployment):
        hard, soft = one.program.number("time-limit"), one.program.number("soft-time-limit")
        said = one.program.options.get("time-limit")
        if hard is not None and soft is not None and soft >= hard and said:
            yield Hit(
                said.place,
                one.name,
                f"--soft-time-limit {soft:g} --time-limit {hard:g}",
                "soft below hard",
                "the soft limit never comes",
                "error",
            )
        redis = any("redis://" in value.text for value in one.environment.values())
        if (
            hard is not None
            and hard >= VISIBILITY_S
            and redis
            and "visibility_timeout" not in deployment.code.settings
            and said
        ):
            yield Hit(
                said.place,
                one.name,
                f"--time-limit {hard:g} with Redis",
                f"visibility_timeout above {hard:g}",
                "Redis hands a task out a second time after 1 h",
            )
        for task in deployment.code.tasks:
            own_soft = task.soft_s if task.soft_s is not None else soft
            own_hard = task.hard_s if task.hard_s is not None else hard
            if own_soft is not None and own_hard is not None and own_soft >= own_hard:
                yield Hit(
                    task.place,
                    one.name,
                    f"{task.task}: soft {own_soft:g} s, hard {own_hard:g} s",
                    "soft below hard, both in one place",
                    "the soft limit never comes",
                    "error",
                )
            elif hard is not None and task.hard_s is not None and task.hard_s != hard:
                yield Hit(
                    task.place,
                    one.name,
                    f"{task.task}: time_limit={task.hard_s:g}, the worker has --time-limit {hard:g}",
                    "one of the two",
                    "the decorator beats the flag: the flag does nothing for this task",
                )
        own = hard if hard is not None else next((task.hard_s for task in deployment.code.tasks if task.hard_s), None)
        for name, value in one.environment.items():
            if own and _LLM_TIMEOUT.fullmatch(name) and value.text.isdigit() and int(value.text) >= own:
                yield Hit(
                    value.place,
                    one.name,
                    f"{name}={value.text}, the task is killed after {own:g} s",
                    f"{name} below the soft limit",
                    "limits must nest: call < soft < hard < redelivery; else the task dies and its call goes on",
                )


def fresh_child(deployment: Deployment) -> Iterator[Hit]:
    """A new child for every task."""
    for one in task_workers(deployment):
        said = one.program.options.get("max-tasks-per-child")
        alive = _said(
            deployment,
            one,
            "worker.proc_alive_timeout",
            "worker_proc_alive_timeout",
            "celery_worker_proc_alive_timeout",
        )
        if said is not None and said.text.isdigit() and int(said.text) < 10:
            why = (
                ""
                if alive
                else "; one that loads longer than 4 s is killed, again and again (worker_proc_alive_timeout)"
            )
            yield Hit(
                said.place,
                one.name,
                f"--max-tasks-per-child {said.text}",
                "remove it, or 100 and more",
                f"every new child loads everything again{why}",
            )


def crowded(deployment: Deployment) -> Iterator[Hit]:
    """More calls at once than the LLM has slots."""
    for llm in (one for one in deployment.services if one.program.kind == "ollama"):
        slots = llm.environment.get("OLLAMA_NUM_PARALLEL")
        number = int(slots.text) if slots and slots.text.isdigit() else 1
        callers = [
            one for one in task_workers(deployment) if any(f"//{llm.name}:" in v.text for v in one.environment.values())
        ]
        asked = sum(one.workers * one.replicas for one in callers)
        if asked > max(number, 1):
            yield Hit(
                (slots or Said("", llm.place)).place,
                llm.name,
                f"{asked} task processes, {number} slot{'s' if number != 1 else ''}",
                "as many task processes as slots (memory grows with slots x context)",
                f"{', '.join(one.name for one in callers)} wait in Ollama's queue inside their own time limits",
            )


FACTS = "docs/facts.md, gunicorn, uvicorn, Celery"
RULES = (
    Rule("task-lost", "warning", "Tasks are lost with a killed worker", FACTS, lost),
    Rule("pool-without-limits", "warning", "Time limits do nothing", FACTS, pool),
    Rule("limits-contradict", "warning", "Time limits contradict each other", FACTS, limits),
    Rule("fresh-child", "warning", "A new child for every task", FACTS, fresh_child),
    Rule("llm-crowded", "warning", "More callers than the LLM has slots", "Ollama FAQ", crowded),
)
