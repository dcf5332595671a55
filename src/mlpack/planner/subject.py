"""One service with everything that is known about it before anything is decided: what the deciding modules read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple

from mlpack.footprint import FIRST_USED_LIBRARIES, Footprint, Region, Stage
from mlpack.model import ModelInfo
from mlpack.plan import Decided
from mlpack.planner.decide import whole
from mlpack.runtimes.base import Runtime, RuntimeFacts
from mlpack.servers.base import Admission, Server, ServerFacts
from mlpack.spec import RuntimeName, ServerName, Service, TargetName
from mlpack.units import KIB

Origin = Literal["default", "profile", "user"]
MULTI_PROCESS_ROLES = frozenset({"app", "worker", "actors"})
"""Programs that can run several copies of the app; the others are one process, whatever the cores."""

USUAL_READ_AHEAD_BYTES = 128 * KIB
"""The kernel's default. Workers forked after the load map no library page: their first requests fault all at once, and
each fault reads so much around it. With 8 MiB four transformers in two workers thrashed in each of five starts under
376 MiB, with 128 KiB in none of four under 345 (docs/memory.md)."""


@dataclass(frozen=True)
class Catalog:
    """The variants a plan may use: servers, runtimes, and the variables of libraries that bring their own threads."""

    servers: Mapping[ServerName, Server]
    runtimes: Mapping[RuntimeName, Runtime]
    library_environment: Callable[[Sequence[str], int], dict[str, Decided[str]]]


@dataclass(frozen=True)
class Subject:
    """A service to decide about. ``cores`` is the share of the host that ONE replica may compute with."""

    name: str
    service: Service
    facts: ServerFacts
    admission: Admission
    footprint: Footprint
    runtimes: tuple[RuntimeFacts, ...]
    target: TargetName
    cores: float
    origins: Mapping[str, Origin]
    packaged: bool = False
    """The footprint is the program's own packaged numbers: it runs no code of the project, or nobody estimated it."""
    reload: bool = False
    """Workers restart when a source file changes (dev)."""
    infos: tuple[ModelInfo, ...] = ()
    """Headers of its models where they are known: what a refusal knows of dtypes."""
    balanced_by: str | None = None
    """The proxy that would share requests among replicas whose number is the planner's to choose; None: it is not."""
    card_seats: tuple[int, ...] = ()
    """For each worker that the cards hold the card it computes on; empty: on the processor (``gpu_choice``)."""
    expected_concurrency: int | None = None
    """Requests at once that load or verification bring, all replicas together; None where nothing says it."""
    joining: int = 0
    """Processes of other services that join it beyond those that its footprint was measured with."""
    kept_body_bytes: int = 0
    """The largest body that this proxy keeps until it is answered, to ask again; 0: it keeps none."""
    read_ahead_bytes: int | None = None
    """What one page fault in a file reads around it on this machine; None: not known."""
    all_cores: float | None = None
    """Cores of all services together; None: as many as are asked for."""

    @cached_property
    def computes(self) -> bool:
        """It runs models, so that cores and memory are what bounds it."""
        return bool(self.service.models)

    @property
    def sure(self) -> bool:
        """The footprint was measured, here or for the package: a plan below it is refused, not tried."""
        return self.packaged or self.footprint.source == "measured"

    @property
    def can_have_workers(self) -> bool:
        """More than one process may serve; an LLM server, a broker or a proxy is one program."""
        return self.facts.role in MULTI_PROCESS_ROLES

    @property
    def parallel(self) -> int:
        """Model computations at once per worker and request: actors run all their models side by side."""
        return max(1, len(self.service.models)) if self.facts.role == "actors" else 1

    @property
    def health_path(self) -> str | None:
        """The path that tells health: the spec's, else the program's own."""
        return self.service.health or self.facts.health_path

    @property
    def checked(self) -> bool:
        """Something asks for its health from time to time, in a process beside it."""
        beats = self.facts.beats and self.target != "systemd" and self.service.pool != "solo"
        return beats or self.facts.health_argv is not None or self.health_path is not None

    @cached_property
    def kernel_measured(self) -> bool:
        """The footprint has what the kernel keeps for the first process."""
        return any(region.kind == "kernel" for region in self.footprint.regions)

    @cached_property
    def read_around_bytes(self) -> int:
        """What the first request of one forked worker reads besides what it uses: never more than that; 0 as usual."""
        if self.read_ahead_bytes is None or self.read_ahead_bytes <= USUAL_READ_AHEAD_BYTES:
            return 0
        hot = sum(region.bytes for region in self.footprint.regions if region.name == FIRST_USED_LIBRARIES)
        return min(self.read_ahead_bytes, hot)

    @cached_property
    def anonymous_bytes(self) -> Mapping[Stage, int]:
        """What one process holds of its own after importing and after loading: what a fork would share."""
        stages: tuple[Stage, ...] = ("import", "load")
        return {stage: self.footprint.sum_bytes("anonymous", stage) for stage in stages}

    @cached_property
    def openmp(self) -> bool:
        """Some runtime gives every request thread a team of its own (so concurrency multiplies threads)."""
        return any(runtime.pool == "openmp" for runtime in self.runtimes)

    def cores_of(self, choice: Choice) -> float:
        """Cores that one replica computes with under ``choice``: replicas that the planner adds share ``cores``."""
        if self.balanced_by is None or choice.replicas == 1:
            return self.cores
        return max(1.0, float(int(self.cores // choice.replicas)))

    def said(self, field: str) -> Origin:
        """Where the spec's value of ``field`` came from."""
        return self.origins.get(f"services.{self.name}.{field}", "user")

    def chosen(self, field: str, because: str = "set in the spec") -> Decided[int] | None:
        """The spec's whole number for ``field`` as a decision; None where it is left to the planner."""
        value = getattr(self.service, field)
        return None if value is None else whole(value=int(value), source=self.said(field), because=because)


class Choice(NamedTuple):
    """One way to run a service: the numbers that memory, times and environment follow from. Per replica."""

    workers: int
    threads: int
    concurrency: int
    replicas: int = 1
    preload: bool = False
    in_turn: bool = False
    """Workers load one after the other."""


def packaged_footprint(facts: ServerFacts) -> Footprint:
    """One process of a program that nobody estimated: its server's packaged numbers, and nothing of an app."""
    return _packaged(facts.name, facts.anonymous_bytes, facts.mapped_bytes, facts.start_s, facts.source)


@lru_cache(maxsize=64)
def _packaged(program: ServerName, anonymous: int, mapped: int, start_s: float, source: str) -> Footprint:
    def region(kind: Literal["anonymous", "mapped"], count: int) -> Region:
        return Region(
            name=program,
            stage="import",
            kind=kind,
            per="process",
            bytes=count,
            lower_bytes=count,
            source="default",
            because=source,
        )

    regions = (region("anonymous", anonymous), region("mapped", mapped))
    return Footprint(
        service=program, source="estimated", regions=regions, concurrency=1_000_000, load_s=start_s, request_s=0.1
    )
