"""Steps before a service starts, each a container that runs once: the hub's models, then the user's (migrations)."""

from __future__ import annotations

from collections.abc import Sequence

from mlpack.plan import Plan
from mlpack.servers.ollama import models_argv
from mlpack.targets.hub import fetch_argv
from mlpack.targets.images import ready_made

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
FETCH_S = 3600
"""For the hub's models, once: 10 GB at 3 MB/s."""
STEP_S = 600
"""For one of the user's steps; nothing ends it, but nobody waits longer."""
SUCCEEDED = "service_completed_successfully"


def add_steps(plan: Plan, views: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """``views`` of all services, each preceded by its steps, which run one after the other and before it.

    Every `up` runs them again, so that they have to be repeatable, as migrations are.
    """
    found: list[dict[str, object]] = []
    for view in views:
        name = str(view["name"])
        made = _steps(plan, name, view)
        if made:
            found += [*made, view | {"after": [*_listed(view["after"]), _after(made[-1])]}]
        else:
            found.append(view)
    return found


def steps_s(plan: Plan, name: str) -> int:
    """Seconds that all steps before service ``name`` may take."""
    fetch = FETCH_S if _fetch(plan, name) else 0
    return fetch + STEP_S * len(plan.spec.services[name].command)


def step_names(plan: Plan, name: str) -> tuple[str, ...]:
    """The containers that run before service ``name``, in their order."""
    return tuple(f"{name}-step-{number}" for number in range(1, len(_words(plan, name)) + 1))


def _words(plan: Plan, name: str) -> tuple[tuple[str, ...], ...]:
    fetch = _fetch(plan, name)
    return (*((fetch,) if fetch else ()), *plan.spec.services[name].command)


def _fetch(plan: Plan, name: str) -> tuple[str, ...] | None:
    """The step that brings models from a hub, or into Ollama's own store; None where there is none."""
    return models_argv(plan, name) if _own_store(plan, name) else fetch_argv(plan, name)


def _own_store(plan: Plan, name: str) -> bool:
    return plan.services[name].server == "ollama" and ready_made(plan, name) is not None


def _steps(plan: Plan, name: str, view: dict[str, object]) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    fetches, own_store = _fetch(plan, name) is not None, _own_store(plan, name)
    for step, argv in zip(step_names(plan, name), _words(plan, name), strict=True):
        fetching = fetches and not made
        made.append(
            view
            | {
                "name": step,
                "pull": "never" if view["build"] else view["pull"],
                "build": None,
                "command": argv,
                "entrypoint": ("sh",) if fetching and own_store else None,
                "environment": _proxied(own_store) if fetching else None,
                "ports": [],
                "health": None,
                "replicas": None,
                "restart": "no",
                "after": [*_listed(view["after"]), *([_after(made[-1])] if made else [])],
                "labels": {"org.mlpack.project": plan.name, "org.mlpack.step-of": name},
            }
        )
    return made


def _proxied(own_store: bool) -> dict[str, str | None]:
    offline = {} if own_store else {"HF_HUB_OFFLINE": "0"}
    return {**dict.fromkeys(PROXIES), **offline}


def _after(view: dict[str, object]) -> dict[str, object]:
    return {"name": view["name"], "condition": SUCCEEDED}


def _listed(value: object) -> list[object]:
    assert isinstance(value, list)
    return value
