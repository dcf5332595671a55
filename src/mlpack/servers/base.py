"""What a server variant is: one module per program that a service can run, with these four members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from mlpack.plan import ForkPoint, Plan
from mlpack.spec import PoolName, ServerName, Spec

Role = Literal["app", "worker", "actors", "llm", "broker", "database", "proxy", "watch"]


BODY_BUFFER_BYTES = 16 * 1024
"""What nginx holds of a kept body in memory, and as much again while it sends it from /tmp, where larger ones go."""


@dataclass(frozen=True)
class Password:
    """How a program takes the password that keeps others out; its value is made on the machine, never rendered."""

    variable: str
    """Holds the password, or names the file that does."""
    before: str = ""
    """What stands before the password in the variable: ``admin:``."""
    in_file: bool = False
    url: str | None = None
    """How others reach it, with {password} too."""


@dataclass(frozen=True)
class PoolFacts:
    """What differs between the ways in which one program runs its work: a row of the fork table each."""

    fork_point: ForkPoint
    has_master: bool
    one_process: bool


@dataclass(frozen=True)
class ServerFacts:
    """What is true of the program whatever the project: facts, not decisions."""

    name: ServerName
    role: Role
    image: str | None
    """The official image it runs from; None means the project's own built image."""
    port: int | None
    """Its customary port."""
    url: str | None
    """How others reach it, with {host} and {port}: ``redis://{host}:{port}/0``."""
    fork_point: ForkPoint
    """Where its workers part without preload."""
    preload_fork_point: ForkPoint | None
    """Where they part with preload; None: it cannot preload."""
    has_master: bool
    """A process beside the workers that serves nothing (gunicorn's arbiter, uvicorn's supervisor, Celery's parent)."""
    chain: Literal["web", "queue", "none"]
    """Which chain of nested time limits it belongs to."""
    anonymous_bytes: int
    """Its own memory per process beyond interpreter and libraries; for programs without an app the whole of it."""
    mapped_bytes: int
    start_s: float
    """From start to accepting, without an app's own load."""
    health_argv: tuple[str, ...] | None
    """A program in the image that tells health; None: an HTTP check of the service's health path."""
    source: str
    """Where these numbers were measured or read."""
    master_bytes: int = 0
    """What a master adds to workers that part at ``fork_point``, once they work; what they share with it is theirs."""
    client_bytes: int = 0
    """What it holds for every process that joins it and stays: a process of its own for each."""
    beats: bool = False
    """What mlpack renders for it marks its heartbeats, and a check looks at the mark: ``servers.heartbeat``."""
    health_path: str | None = None
    """The program's own path that answers 200 only when it is ready, where the spec names none."""
    tls_port: int | None = None
    """Where it listens once it has a domain: HTTPS."""
    password: Password | None = None
    """None: it takes none, or has none of its own."""
    reload_needs_one_worker: bool = False
    """It restarts on changed source files with one worker only."""
    loads_in_turn: bool = False
    """What mlpack renders for it can make its workers load one after the other."""
    one_process: bool = False
    """Its work runs in the process that accepts it: nobody can replace a worker of it, or end what takes too long."""
    pools: Mapping[PoolName, PoolFacts] = field(default_factory=dict)
    """The pools that it knows; empty: it has none to choose."""

    def in_pool(self, pool: PoolName | None) -> ServerFacts:
        """The facts under ``pool``; as they are where it is None or unknown to this program."""
        row = self.pools.get(pool) if pool is not None else None
        if row is None:
            return self
        own = self.anonymous_bytes + (0 if row.has_master else self.master_bytes)
        facts = replace(self, fork_point=row.fork_point, has_master=row.has_master, one_process=row.one_process)
        return replace(facts, anonymous_bytes=own)


@dataclass(frozen=True)
class Admission:
    """How many requests one worker lets in at once, and what makes it so."""

    natural: int
    """What happens when mlpack renders nothing about it."""
    adjustable: bool
    """The planner may choose another number, and ``enforced_by`` renders it."""
    enforced_by: str
    worker_class: str | None = None


class Server(Protocol):
    """A module of ``servers/``. Pure: it reads spec and plan and returns values."""

    @property
    def FACTS(self) -> ServerFacts:  # noqa: N802 - a module's constant
        """The program's facts."""

    def admission(self, spec: Spec, name: str) -> Admission:
        """How service ``name`` admits requests."""

    def argv(self, plan: Plan, name: str) -> tuple[str, ...]:
        """The command that starts service ``name``."""

    def config(self, plan: Plan, name: str) -> Mapping[str, object]:
        """Values for the files in templates/servers/<server>/; empty where there are none."""
