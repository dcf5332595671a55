"""Steps before a service starts, each a container that runs once: the hub's models, then the user's (migrations)."""

from __future__ import annotations

from collections.abc import Sequence

from mlpack.plan import Plan
from mlpack.targets.hub import fetch_argv

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
    fetch = FETCH_S if fetch_argv(plan, name) else 0
    return fetch + STEP_S * len(plan.spec.services[name].command)


def step_names(plan: Plan, name: str) -> tuple[str, ...]:
    """The containers that run before service ``name``, in their order."""
    return tuple(f"{name}-step-{number}" for number in range(1, len(_words(plan, name)) + 1))


def _words(plan: Plan, name: str) -> tuple[tuple[str, ...], ...]:
    fetch = fetch_argv(plan, name)
    return (*((fetch,) if fetch else ()), *plan.spec.services[name].command)


def _steps(plan: Plan, name: str, view: dict[str, object]) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    fetches = fetch_argv(plan, name) is not None
    for step, argv in zip(step_names(plan, name), _words(plan, name), strict=True):
        fetching = fetches and not made
        made.append(
            view
            | {
                "name": step,
                "pull": "never" if view["build"] else view["pull"],
                "build": None,
                "command": argv,
                "entrypoint": None,
                "environment": {**dict.fromkeys(PROXIES), "HF_HUB_OFFLINE": "0"} if fetching else None,
                "ports": [],
                "health": None,
                "replicas": None,
                "restart": "no",
                "after": [*_listed(view["after"]), *([_after(made[-1])] if made else [])],
                "labels": {"org.mlpack.project": plan.name, "org.mlpack.step-of": name},
            }
        )
    return made


def _after(view: dict[str, object]) -> dict[str, object]:
    return {"name": view["name"], "condition": SUCCEEDED}


def _listed(value: object) -> list[object]:
    assert isinstance(value, list)
    return value
