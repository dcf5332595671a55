"""Do the services that run the project's code run without root's rights?"""

from __future__ import annotations

from pathlib import Path

from mlpack.servers import SERVERS
from mlpack.verify.run import Answer, Run
from mlpack.verify.seeing import ContainerEyes, HostEyes, eyes_for

NAME = "user"
NEEDS = ("ready",)
OWN_CODE = frozenset({"app", "worker", "actors"})
"""Roles that run the project's code. Programs of official images drop root's rights in ways of their own."""


def check(run: Run) -> Answer:
    """Read the effective user of every process; root among the project's own fails."""
    evidence: list[str] = []
    wrong: list[str] = []
    for instance in run.instances:
        eyes = eyes_for(instance, run.environ)
        if eyes is None:
            continue
        users = users_of(eyes)
        if not users:
            evidence.append(f"{instance.name}: its users cannot be read")
            continue
        line = f"{instance.name}: user {', '.join(map(str, sorted(users)))}"
        own = SERVERS[run.service(instance).server].FACTS.role in OWN_CODE
        if own and 0 in users:
            wrong.append(f"{line}: a break-in through the app would have root's rights in the container")
        else:
            evidence.append(line)
    if wrong:
        hint = "rendered images have a user of their own; for an image of yours write USER 10001 in its Dockerfile"
        return Answer("failed", wrong[0], (*wrong[1:], *evidence), hint, kind="root")
    return Answer("passed", "the project's code runs without root's rights", tuple(evidence))


def users_of(eyes: HostEyes | ContainerEyes) -> set[int]:
    """Effective user ids of the service's processes."""
    if isinstance(eyes, ContainerEyes):
        return eyes.users()
    found = set()
    for pid in eyes.pids():
        try:
            lines = (Path("/proc") / str(pid) / "status").read_text(errors="replace").splitlines()
        except OSError:
            continue
        found |= {int(line.split()[2]) for line in lines if line.startswith("Uid:")}
    return found
