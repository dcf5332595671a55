"""Asks the container engine, by its command line: does it answer, what carries our label, how is a container doing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlpack.errors import MlpackError, TransientError, VerifyError
from mlpack.launchers.base import State
from mlpack.launchers.owner import LABEL
from mlpack.process import Completed, run

ANSWER_S = 30.0
"""A loaded engine answers a query within seconds; one that takes longer is as good as down."""
REMOVE_S = 120.0
KINDS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("container", ("ps", "--all", "--no-trunc"), ("rm", "--force", "--volumes")),
    ("network", ("network", "ls", "--no-trunc"), ("network", "rm")),
    ("volume", ("volume", "ls"), ("volume", "rm", "--force")),
)
"""What a run can leave behind: how to list it and how to remove it, in the order in which removal works."""


UNREACHABLE = "Cannot connect to the Docker daemon"
NOT_ALLOWED = "this user may not talk to the container engine (permission denied on its socket)"
NOT_ALLOWED_HINT = (
    "add the user to the group `docker` (`sudo usermod -aG docker $USER`, then log in again; members are as good as "
    "root), or use `--launcher process`: no containers are needed"
)
NO_COMPOSE = "the docker command has no compose plugin"
NO_COMPOSE_HINT = "install it: docker-compose-plugin of Docker's packages (docs.docker.com/compose/install/linux)"


@dataclass(frozen=True)
class Found:
    """A container, network or volume with our label."""

    kind: str
    ident: str
    label: str
    project: str


def docker(words: Sequence[str], environ: Mapping[str, str], *, timeout_s: float = ANSWER_S) -> Completed:
    """``docker WORDS``; never raises for an exit code. Raises MlpackError when docker is missing or does not answer."""
    return run(("docker", *words), env=environ, timeout_s=timeout_s, check=False)


class NotAllowed(VerifyError):
    """An engine is there, but this user may not talk to it: no retry will change that."""


def missing(environ: Mapping[str, str]) -> str | None:
    """Why there is no engine with Compose to use; None when there is. Raises NotAllowed."""
    try:
        answer = docker(("version", "--format", "{{.Server.Version}}"), environ)
        if answer.code != 0 and "permission denied" in answer.stderr.lower():
            raise NotAllowed(NOT_ALLOWED, hint=NOT_ALLOWED_HINT)
        if answer.code != 0:
            return "no container engine answers: " + last_line(answer.stderr)
        plugin = docker(("compose", "version", "--short"), environ)
    except NotAllowed:
        raise
    except MlpackError as error:
        return f"no container engine: {error.what}"
    if plugin.code != 0:
        return NO_COMPOSE
    return None


def unusable(reason: str, hint: str | None) -> MlpackError:
    """The error that ``missing``'s reason is, with ``hint`` where an engine is what is missing: it may come up yet."""
    return MlpackError(reason, hint=NO_COMPOSE_HINT) if reason == NO_COMPOSE else TransientError(reason, hint=hint)


def require(environ: Mapping[str, str]) -> None:
    """Raise TransientError where no engine answers, NotAllowed where this user may not ask it, MlpackError without
    Compose."""
    reason = missing(environ)
    if reason is not None:
        hint = "start the engine (or set DOCKER_HOST), or use `--launcher process`: no containers are needed"
        raise unusable(reason, hint)


def inspect(ident: str, environ: Mapping[str, str]) -> dict[str, Any] | None:
    """Everything the engine knows of a container; None when it is gone. Raises TransientError: the engine is gone."""
    answer = docker(("container", "inspect", ident), environ)
    if answer.code != 0:
        if UNREACHABLE in answer.stderr:
            raise TransientError("the container engine stopped answering: " + last_line(answer.stderr))
        return None
    found: list[dict[str, Any]] = json.loads(answer.stdout)
    return found[0] if found else None


def parse_state(container: Mapping[str, Any]) -> State:
    """The State of an inspected container."""
    state = container["State"]
    return State(
        status=state["Status"],
        running=bool(state["Running"]),
        exit_code=None if state["Running"] else int(state["ExitCode"]),
        oom_killed=bool(state.get("OOMKilled")),
        restarts=int(container.get("RestartCount", 0)),
        health=(state.get("Health") or {}).get("Status"),
    )


def labelled(environ: Mapping[str, str], *, label: str | None = None) -> tuple[Found, ...]:
    """Everything with our label; with exactly the value ``label`` where given. Raises TransientError: no answer."""
    wanted = LABEL if label is None else f"{LABEL}={label}"
    row = f'{{{{.Label "{LABEL}"}}}}\t{{{{.Label "com.docker.compose.project"}}}}'
    found = []
    for kind, listing, _ in KINDS:
        ident = "{{.Name}}" if kind == "volume" else "{{.ID}}"
        answer = docker((*listing, "--filter", f"label={wanted}", "--format", f"{ident}\t{row}"), environ)
        if answer.code != 0:
            raise TransientError("the container engine stopped answering: " + last_line(answer.stderr))
        for line in answer.stdout.splitlines():
            name, value, project = line.split("\t")
            found.append(Found(kind, name, value, project))
    return tuple(found)


def remove(things: Sequence[Found], environ: Mapping[str, str]) -> None:
    """Remove exactly these, containers first; what is gone already is no error."""
    for kind, _, removal in KINDS:
        idents = [thing.ident for thing in things if thing.kind == kind]
        if idents:
            docker((*removal, *idents), environ, timeout_s=REMOVE_S)


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "(nothing said)"
