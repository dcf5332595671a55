"""What a target variant is: one module per place a deployment can run in, with these three members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mlpack.plan import Plan
from mlpack.spec import ServerName

Requirements = Mapping[str, Sequence[str]]
"""Service -> names of the distributions it requires, as far as they are known."""

RENDERED_BY = "rendered by mlpack; changes belong in mlpack.yaml or compose.override.yaml"
"""First line of every file. No version or time: same input, same bytes."""
APP_UID = 10001
"""Fixed, so that folders on the host can be prepared; above the range of users that distributions make."""


def app_uid(plan: Plan) -> int:
    """Who runs the project's own code in containers: the host's user where the project names its number."""
    return plan.spec.host.uid or APP_UID


def containers(plan: Plan) -> tuple[str, ...]:
    """The services that run in containers, in the order of the spec; the others are units of the host."""
    return tuple(name for name, service in plan.services.items() if service.target != "systemd")


@dataclass(frozen=True)
class File:
    """A file to render: its path relative to the project, the template below templates/, and the values it places."""

    path: str
    template: str
    values: Mapping[str, object]
    mode: int = 0o644


class Target(Protocol):
    """A module of ``targets/``. Pure."""

    @property
    def SERVERS(self) -> frozenset[ServerName]:  # noqa: N802 - a module's constant
        """The servers whose files it can render."""

    def view(self, plan: Plan, requirements: Requirements) -> Mapping[str, object]:
        """The values of its main file: all that exists in this target only is decided here."""

    def files(self, plan: Plan, requirements: Requirements) -> tuple[File, ...]:
        """Every file of this target; those of images and servers are added by ``render``."""
