"""Spec: what the user wants, after short forms are normalised. ``None`` is "auto": the planner decides.

Written as ``mlpack.yaml``; ``config`` reads, merges and normalises it. Sizes are bytes and times seconds here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from mlpack.exchange import Call, EnvValue, Expect, FactName, Request, Step
from mlpack.noun import Noun

__all__ = [
    "Budget",
    "Build",
    "CacheDtype",
    "Call",
    "Device",
    "EnvValue",
    "Expect",
    "FactName",
    "Host",
    "Load",
    "LoadDtype",
    "MaxInput",
    "Model",
    "Name",
    "PoolName",
    "Port",
    "PositiveFloat",
    "PositiveInt",
    "Request",
    "RuntimeName",
    "ServerName",
    "Service",
    "Settings",
    "Spec",
    "Step",
    "TargetName",
    "Verify",
    "Volume",
]

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*([-_][a-z0-9]+)*$", max_length=40)]
"""A project, model, service, volume or secret: usable as a DNS label, an environment name and a unit name."""
PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Port = Annotated[int, Field(ge=1, le=65535)]

TargetName = Literal["compose", "systemd", "swarm", "kubernetes"]
Device = Literal["auto", "cpu", "gpu"]
ServerName = Literal[
    "gunicorn", "uvicorn", "celery", "ray", "llama_server", "ollama", "redis", "postgres", "caddy", "nginx", "flower"
]
PoolName = Literal["prefork", "threads", "solo"]
LoadDtype = Literal["fp32", "fp16", "bf16", "fp8", "int8", "int4"]
CacheDtype = Literal["f32", "f16", "bf16", "fp8", "q8_0", "q4_0"]
RuntimeName = Literal[
    "torch", "transformers", "tensorflow", "onnxruntime", "sklearn", "lightgbm", "xgboost", "llama_cpp"
]


class Build(Noun):
    """How the image (or the host environment) comes to be. Paths are relative to the project."""

    python: str | None = None
    requirements: str | None = None
    conda: str | None = None
    dockerfile: str | None = None
    apt: tuple[str, ...] = ()
    wheelhouse: str | None = None
    """A folder of wheels, for closed networks and CPU builds; offered to pip as --find-links."""
    index: str | None = None
    """Package index URL; without one pip's own default."""
    ca: str | None = None
    """PEM file of a company's certificate authority, used while building only."""
    platform: str | None = None
    """linux/amd64, linux/arm64: the image's platform where it is not the builder's."""
    cuda_base: bool | None = None
    """Whether an image for cards is built on NVIDIA's, with CUDA's libraries and, while building, its compiler; None:
    where the packages need that."""
    context: str = "."


class MaxInput(Noun):
    """The largest input one request may carry; sizing is for this."""

    shape: tuple[PositiveInt, ...] | None = None
    """One item, without the batch dimension."""
    batch: PositiveInt = 1
    tokens: PositiveInt | None = None


class Model(Noun):
    """A model: a path of the project, or a name on a hub that a cache volume holds."""

    path: str | None = None
    hub: str | None = None
    runtime: RuntimeName | None = None
    max_input: MaxInput | None = None
    dtype: LoadDtype | None = None
    """What the app loads the weights in; None: as the runtime does by itself. mlpack plans with it, the app does it."""
    cache_dtype: CacheDtype | None = None
    """What a key/value cache is kept in; None: the weights' dtype, f16 under llama.cpp."""
    mount: str | None = None
    """Where the app expects it; by default below the service's root, at the same relative path."""


class Service(Noun):
    """One program. ``server`` names it; what is None is planned."""

    server: ServerName
    app: str | None = None
    interface: Literal["wsgi", "asgi"] | None = None
    """What ``app`` is; None asks the requirements (fastapi, starlette, quart: asgi)."""
    endpoint: Literal["def", "async"] | None = None
    """How inference is written: ``def`` runs in a pool of 40 threads, a blocking ``async def`` one by one."""
    port: Port | None = None
    publish: Port | None = None
    """Host port; by default ``port`` for the service that faces the user."""
    pool: PoolName | None = None
    """How a Celery worker runs tasks: ``prefork`` (also by default), ``threads`` of one process, ``solo``."""
    health: str | None = None
    """Path that answers 200 only when every model of the process is loaded."""
    models: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    env: dict[str, EnvValue] = {}
    to: str | None = None
    domain: str | None = None
    rate_per_s: PositiveFloat | None = None
    max_body_bytes: PositiveInt | None = None
    workers: PositiveInt | None = None
    threads: PositiveInt | None = None
    """Library (OpenMP or pool) threads per worker."""
    concurrency: PositiveInt | None = None
    """Requests one worker handles at once."""
    replicas: PositiveInt | None = None
    recycle: PositiveInt | None = None
    """Requests (or tasks) after which a worker is replaced by a fresh one, which loads again: for known leaks."""
    preload: bool | None = None
    memory_bytes: PositiveInt | None = None
    """The limit, where the user insists on one; the planner refuses it if it does not fit."""
    cpus: PositiveFloat | None = None
    timeout_s: PositiveFloat | None = None
    """The longest one request (or task) may take."""
    repeatable: bool = False
    """A request changes nothing, so that it may be asked twice: the proxy asks another replica where one broke off."""
    build: Build | None = None
    image: str | None = None
    root: str | None = None
    command: tuple[tuple[str, ...], ...] = ()
    """argv steps run before the server starts (migrations)."""
    target: TargetName | None = None
    device: Device | None = None
    measure: Call | None = None
    """What ``estimate --measure`` runs, where the largest HTTP request is not it: a worker's largest task."""


class Volume(Noun):
    """Data that outlives containers: a named volume, or a host folder (``path``, relative to the project)."""

    path: str | None = None
    mount: str | None = None


class Budget(Noun):
    """The host's share that this project may use. Bytes and cores are absolute, shares of what the host has."""

    memory_bytes: PositiveInt | None = None
    cpus: PositiveFloat | None = None
    memory_share: Annotated[float, Field(gt=0, le=1)] | None = None
    keep_back_bytes: PositiveInt | None = None
    """Memory never used by this project, whatever the share says."""


class Load(Noun):
    """What the deployment must bear; without it the plan is the smallest within 5 % of the best."""

    rps: PositiveFloat | None = None
    p95_s: PositiveFloat | None = None
    concurrency: PositiveInt | None = None


USUAL_LOAD = 200


class Verify(Noun):
    """Goals of verification beyond those of ``load``."""

    concurrency: PositiveInt | None = None
    p95_s: PositiveFloat | None = None
    requests: PositiveInt = USUAL_LOAD
    """Sent in the load check. The usual number is cut where requests are slow; another one is sent whole."""


class Host(Noun):
    """The host's own user and Python, for services that run outside containers."""

    user: str | None = None
    python: str | None = None
    uid: int | None = Field(default=None, ge=1, le=4_294_967_293)
    """The number of ``user``: containers that share folders with units then run as it."""


class Settings(Noun):
    """What differs between dev and prod beyond numbers; set by the profiles."""

    publish_host: str = "127.0.0.1"
    restart: Literal["no", "on-failure", "unless-stopped", "always"] = "unless-stopped"
    reload: bool = False
    """Restart workers when source files change (dev)."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_max_bytes: PositiveInt = 10 * 1024**2
    log_files: PositiveInt = 3
    read_only: bool = True
    gpu_access: Literal["reservation", "gpus", "cdi"] | None = None
    """How compose hands out cards; None: a reservation, or CDI where the engine knows nothing else."""


class Spec(Noun):
    """The whole wish, normalised and merged; the planner's input."""

    schema_version: Literal[1] = 1
    name: Name
    build: Build = Build()
    root: str | None = None
    """Where the project lives in containers and on hosts; /opt/<name> by default."""
    image: str | None = None
    """Repository of the built image; <name> by default."""
    tag: str = "latest"
    models: dict[Name, Model] = {}
    services: dict[Name, Service]
    volumes: dict[Name, Volume] = {}
    requests: dict[Name, Request] = {}
    secrets: tuple[Name, ...] = ()
    budget: Budget = Budget()
    objective: Literal["throughput", "latency", "memory"] = "throughput"
    load: Load = Load()
    verify: Verify = Verify()
    target: TargetName = "compose"
    device: Device = "auto"
    host: Host = Host()
    settings: Settings = Settings()

    @property
    def root_path(self) -> str:
        """The project's folder in containers and on hosts, so that argv, env and messages agree."""
        return self.root or f"/opt/{self.name}"
