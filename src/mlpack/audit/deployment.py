"""Deployment: what was read of an existing deployment, as values. Everything that a rule may look at is in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlpack.audit.place import Place, Said
from mlpack.host import HostFacts


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile: its word in capitals and its text, lines joined."""

    word: str
    text: str
    place: Place


@dataclass(frozen=True)
class Dockerfile:
    """``final`` holds what is true of the last stage and the stages it rests on; ``all`` every instruction."""

    file: str
    all: tuple[Instruction, ...]
    final: tuple[Instruction, ...]
    base: Said | None
    """The image that the last stage comes from in the end; None where a variable without a default names it."""
    ignores: bool | None
    """Whether a .dockerignore is used; None where the build's folder is not there."""

    def last(self, word: str) -> Instruction | None:
        """The instruction that counts of several."""
        found = [one for one in self.final if one.word == word]
        return found[-1] if found else None


@dataclass(frozen=True)
class TaskLimits:
    """What a Celery task's decorator says, in seconds."""

    task: str
    place: Place
    soft_s: float | None
    hard_s: float | None


@dataclass(frozen=True)
class Code:
    """What the project's Python files show. ``read`` is False where none were in reach: then silence proves nothing."""

    read: bool = False
    tasks: tuple[TaskLimits, ...] = ()
    settings: Mapping[str, Said] = field(default_factory=dict)
    """Names of interest that are set anywhere, lower case: task_acks_late, ..."""
    wrong_calls: tuple[Said, ...] = ()
    """Calls of functions that do not exist."""
    ray_inits: tuple[Said, ...] = ()
    """Calls of ray.init() that name no address."""


@dataclass(frozen=True)
class KnownModel:
    """A model file in reach: what one process holds of it under its likely runtime, in bytes; None if unknown."""

    path: str
    runtime: str | None
    lower_bytes: int
    bytes: int


@dataclass(frozen=True)
class Program:
    """A command line understood. ``options`` by their long name without dashes: ``workers``, ``max-requests``."""

    kind: str
    """gunicorn, uvicorn, celery, flower, ollama, llama-server, redis, postgres, nginx, ray, python or other."""
    place: Place
    text: str
    options: Mapping[str, Said] = field(default_factory=dict)
    app: str | None = None

    def number(self, *names: str) -> float | None:
        """The first of ``names`` that is given as a number."""
        for name in names:
            said = self.options.get(name)
            if said is not None:
                try:
                    return float(said.text)
                except ValueError:
                    return None
        return None


@dataclass(frozen=True)
class Service:
    """One service of a compose file, or one systemd unit."""

    name: str
    place: Place
    program: Program
    environment: Mapping[str, Said]
    """As the process gets it: env files, the Dockerfile's ENV and the compose file's own; the last one wins."""
    image: Said | None = None
    dockerfile: Dockerfile | None = None
    builds: bool = False
    """Its image is built from the project, whether or not the Dockerfile is in reach."""
    memory: Said | None = None
    memory_bytes: int | None = None
    plain_limit: bool = False
    """The limit is written as mem_limit, which Compose does not let differ from deploy's."""
    reserved_bytes: int | None = None
    cpus: float | None = None
    cpus_at: Place | None = None
    swap: Said | None = None
    shm: Said | None = None
    replicas: int = 1
    container_name: Said | None = None
    ports: tuple[Said, ...] = ()
    """As ``IP:published:target``; IP empty for every interface, published empty for any."""
    user: Said | None = None
    health: tuple[str, ...] | None = None
    """The health check's words; None: there is none."""
    health_at: Place | None = None
    health_start: Said | None = None
    grace_s: float | None = None
    """None: not set, so 10 s."""
    restart: Said | None = None
    gpu: Place | None = None
    """Where a card is asked for."""
    gpu_count: int | None = None
    """How many cards are asked for; None: all, or nothing says it."""
    gpu_both: bool = False
    """count and device_ids, which exclude each other."""
    volumes: tuple[tuple[str, str, Place], ...] = ()
    """(source, target, place); source empty for an anonymous one."""
    host_network: bool = False
    """Its localhost is not its own: the host's, or that of a container whose network it shares."""
    libraries: Mapping[str, Said | None] = field(default_factory=dict)
    """Runtimes (torch, tensorflow, ...) and other packages that requirements or the Dockerfile name."""
    models: tuple[KnownModel, ...] = ()
    folder: str | None = None
    """The folder that it is built from."""
    unit: Mapping[str, Said] = field(default_factory=dict)
    """A systemd unit's [Service] settings; empty for a compose service."""

    @property
    def is_unit(self) -> bool:
        """A systemd unit, not a container."""
        return bool(self.unit)

    @property
    def runtimes(self) -> tuple[str, ...]:
        """The libraries that run models."""
        if self.program.kind not in MODEL_KINDS:
            return ()
        return tuple(name for name in RUNTIME_NAMES if name in self.libraries)

    @property
    def workers(self) -> int:
        """Processes that each may load the models."""
        if self.program.kind in ("gunicorn", "uvicorn"):
            said = self.program.number("workers")
            if said is None:
                concurrency = self.environment.get("WEB_CONCURRENCY")
                said = float(concurrency.text) if concurrency and concurrency.text.isdigit() else 1
            return max(1, int(said))
        if self.program.kind == "celery" and self.program.options.get("pool", NO_POOL).text in ("prefork", "processes"):
            return max(1, int(self.program.number("concurrency") or 1))
        return 1


RUNTIME_NAMES = (
    *("torch", "tensorflow", "transformers", "onnxruntime", "sklearn", "lightgbm", "xgboost", "llama_cpp"),
)
MODEL_KINDS = ("gunicorn", "uvicorn", "celery", "python", "ray")
"""Programs that may run the project's own models; a proxy built from the same image does not."""
NO_POOL = Said("prefork", Place("", 0))


@dataclass(frozen=True)
class NginxFile:
    """An nginx configuration: its directives as (name, arguments, block, place)."""

    file: str
    directives: tuple[tuple[str, tuple[str, ...], str, Place], ...]


@dataclass(frozen=True)
class Deployment:
    """All that was read. ``unread`` says what could not be, and why."""

    services: tuple[Service, ...] = ()
    dockerfiles: tuple[Dockerfile, ...] = ()
    nginx: tuple[NginxFile, ...] = ()
    code: Code = Code()
    host: HostFacts | None = None
    host_name: str = ""
    conda: tuple[str, ...] = ()
    """Conda environment files in the folders that are built."""
    unread: tuple[str, ...] = ()
