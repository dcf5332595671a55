"""Plan: every number that was decided, with its source and reason. The plan is data: printed, stored, compared."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from mlpack.noun import Noun
from mlpack.report import Finding
from mlpack.spec import ServerName, Spec, TargetName

T = TypeVar("T")
Source = Literal["default", "profile", "user", "probed", "estimated", "measured", "calculated"]
ForkPoint = Literal["never", "before-import", "after-import", "after-load"]
"""Where a server's workers part: ``never`` forked (spawned, or one process), before the app's import (gunicorn),
after import but before load (Celery prefork), after the models are loaded (preload)."""


class Decided(Noun, Generic[T]):
    """A decision: the value, where it came from, and why in words a reader can check."""

    value: T
    source: Source
    because: str


DecidedInt = Decided[int]
DecidedFloat = Decided[float]
DecidedBool = Decided[bool]
DecidedStr = Decided[str]
"""The kinds that occur. ``Decided[int](...)`` looks the class up at every call, twice the cost of making the value."""


class Term(Noun):
    """One row of a memory sum: ``count`` times ``each_bytes``."""

    name: str
    each_bytes: int
    count: int
    source: Literal["default", "estimated", "measured"]

    @property
    def total_bytes(self) -> int:
        """count x each."""
        return self.each_bytes * self.count


class MemoryPlan(Noun):
    """The memory of one replica, worked out: limit = 1.05 * max(load, serve) + 0.10 * mapped, in whole MiB."""

    load_bytes: int
    """Predicted start-up peak: all workers loading at once, or the last one while the others serve (load_in_turn)."""
    serve_bytes: int
    """Predicted serving peak at the planned concurrency."""
    serve_reloads: bool = False
    """That peak is one worker loading again while the others serve: more than all of them serving."""
    mapped_bytes: int
    lower_bytes: int
    """What is needed at the very least; a plan below it is refused."""
    load_terms: tuple[Term, ...]
    serve_terms: tuple[Term, ...]
    limit_bytes: Decided[int]
    reservation_bytes: Decided[int]
    shm_bytes: Decided[int] | None = None
    """Size of /dev/shm; None where the 64 MiB that every container has are enough, and nothing takes more by itself."""
    tmp_bytes: Decided[int]
    """Size of the tmpfs on /tmp; its pages are charged to the limit."""

    @property
    def peak_bytes(self) -> int:
        """The predicted peak need, without headroom: what verify compares with."""
        return max(self.load_bytes, self.serve_bytes)


class TimePlan(Noun):
    """Time limits in seconds, nested from the inside out. None where the server has no such limit."""

    request_s: Decided[float]
    worker_s: Decided[int] | None = None
    graceful_s: Decided[int]
    stop_grace_s: Decided[int]
    proxy_read_s: Decided[int] | None = None
    soft_s: Decided[int] | None = None
    hard_s: Decided[int] | None = None
    redelivery_s: Decided[int] | None = None
    child_start_s: Decided[int] | None = None
    """Celery's proc_alive_timeout: a replacement child may load this long."""


class HealthPlan(Noun):
    """The health check; ``start_period_s`` covers the load, ``path`` means "models loaded"."""

    path: str | None
    start_period_s: Decided[int]
    interval_s: Decided[int]
    start_interval_s: Decided[int]
    timeout_s: Decided[int]
    retries: Decided[int]


class CardPlan(Noun):
    """A card, or one MIG instance of it, as a plan uses it."""

    index: int
    """In HostFacts.gpus.devices."""
    name: str
    uuid: str | None
    """Of the card or the instance: what programs and engines are told. None for a machine that was not probed."""
    instance: str | None = None
    """The MIG profile, ``1g.10gb``; None for a whole card."""
    minor: int | None = None
    """N of /dev/nvidiaN."""
    compute_capability: tuple[int, int] | None = None
    total_bytes: int
    usable_bytes: int
    """What may be planned: less what the driver holds."""

    @property
    def key(self) -> str:
        """How CUDA and engines name it: by UUID, else by number."""
        return self.uuid or str(self.index)


class ImageBase(Noun):
    """What the image of a service on cards is built on."""

    image: Decided[str]
    """``slim`` (Python's own), or a reference of nvidia/cuda."""
    builder: Decided[str] | None = None
    """The image with CUDA's compiler, for the building stage; None where nothing is compiled."""
    compiled: tuple[str, ...] = ()
    """Packages that are compiled against the installed torch, hence after it."""


class GpuPlan(Noun):
    """Where the workers of one replica compute: every one has a card."""

    cards: tuple[CardPlan, ...]
    """Those that the service sees."""
    seats: tuple[int, ...]
    """For every worker its card, an index into ``cards``."""
    need_bytes: Decided[int]
    """Of one worker on its card, at the peak, headroom included."""
    lower_bytes: int
    terms: tuple[Term, ...]
    access: Decided[str]
    """How containers get the cards: ``reservation`` (the nvidia runtime's hook), ``gpus`` (the same, as Compose spells
    it since 2.30) or ``cdi``."""
    offload_layers: Decided[int] | None = None
    """Layers of a GGUF model on the card; None where the runtime knows no such thing."""
    environment: dict[str, Decided[str]] = {}
    """Variables that are set only where the card is."""
    base: ImageBase | None = None
    """None: no image is built for it."""


class ServicePlan(Noun):
    """One service, decided. Numbers are per replica unless they say otherwise."""

    server: ServerName
    target: TargetName
    device: Literal["cpu", "gpu"]
    runtimes: tuple[str, ...]
    replicas: Decided[int]
    workers: Decided[int]
    threads: Decided[int]
    concurrency: Decided[int]
    """Requests one worker handles at once."""
    enforced_by: str
    """What bounds the concurrency in the rendered files; 'nothing' is said aloud."""
    preload: Decided[bool]
    fork_point: ForkPoint
    load_in_turn: Decided[bool] | None = None
    """Workers wait for each other to load, so that one load's peak is in memory at a time; None where nothing can make
    them, or nobody loads beside them."""
    recycle: Decided[int] | None = None
    """Requests or tasks after which a worker is replaced; None: never."""
    recycle_jitter: Decided[int] | None = None
    """Up to so many more, drawn for each worker, so that they do not reload together."""
    worker_class: Decided[str] | None = None
    port: int | None
    publish: int | None
    redirect_port: int | None = None
    """Host port whose visitors a proxy sends to HTTPS."""
    cpus: Decided[float]
    pids: Decided[int]
    memory: MemoryPlan
    times: TimePlan
    health: HealthPlan | None
    environment: dict[str, Decided[str]] = {}
    """Thread and runtime variables that mlpack sets; the user's own are in the spec."""
    footprint_source: Literal["default", "estimated", "measured"]
    gpu: GpuPlan | None = None
    """None: it computes on the processor."""


class BudgetRow(Noun):
    """One service's claim on the host: all replicas together."""

    service: str
    replicas: int
    limit_bytes: int
    """Limit x replicas."""
    cpus: float


class CardRow(Noun):
    """One card's memory, shared out: ``used_bytes`` is what all workers on it need."""

    card: str
    """Its UUID, else its number."""
    name: str
    usable_bytes: int
    used_bytes: int
    services: tuple[str, ...]


class BudgetPlan(Noun):
    """The host's memory, shared out: what there is, what is kept back, what the services may take."""

    total_bytes: Decided[int]
    usable_bytes: Decided[int]
    cores: Decided[float]
    rows: tuple[BudgetRow, ...]
    cards: tuple[CardRow, ...] = ()
    """Cards that some service uses."""

    @property
    def used_bytes(self) -> int:
        """Sum of all limits."""
        return sum(row.limit_bytes for row in self.rows)


class Plan(Noun):
    """A whole deployment, decided. Pure function of HostFacts, Spec and Footprints; ``spec`` is what was asked."""

    schema_version: Literal[1] = 1
    name: str
    profiles: tuple[str, ...]
    spec: Spec
    services: dict[str, ServicePlan]
    budget: BudgetPlan
    findings: tuple[Finding, ...] = ()
    """What the user should know: extrapolated numbers, estimates that only may not fit, unbounded concurrency."""
