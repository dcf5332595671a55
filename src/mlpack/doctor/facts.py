"""Facts: all that was read about one container or unit that may be ill. Frozen: a diagnosis is a function of it."""

from __future__ import annotations

from typing import Literal

from mlpack.noun import Noun
from mlpack.report import Patch


class HealthProbe(Noun):
    """One health check that the engine remembers; it keeps the last five."""

    exit_code: int
    output: str
    took_s: float


class HealthFacts(Noun):
    """The health check as it is set, and what it said."""

    status: str
    """starting, healthy, unhealthy."""
    failing_streak: int
    """Failed checks in a row; those of the start period do not count."""
    probes: tuple[HealthProbe, ...] = ()
    interval_s: float = 30.0
    timeout_s: float = 30.0
    start_period_s: float = 0.0
    retries: int = 3


class FileSystem(Noun):
    """A file system that the container may write to."""

    mount: str
    size_bytes: int
    free_bytes: int


class Death(Noun):
    """An end that the engine remembers."""

    at_s: float
    """Seconds since the epoch."""
    exit_code: int


class Facts(Noun):
    """One container or unit. None or empty: not read, or not there."""

    kind: Literal["container", "unit"]
    name: str
    ident: str = ""
    service: str | None = None
    """Its name in the compose file, and in mlpack.yaml."""
    status: str
    """created, running, restarting, exited, dead; a unit's sub-state."""
    running: bool
    exit_code: int | None = None
    one_shot: bool = False
    """Made to end: nothing starts it again after success, and it publishes no port; a unit of Type=oneshot."""
    oom_killed: bool = False
    error: str = ""
    """Why the engine could not start it; a unit's result where that is not success."""
    restarts: int = 0
    age_s: float | None = None
    """Since its last start."""
    limit_bytes: int | None = None
    oom_kills: int | None = None
    """Of its control group, which lives as long as the container runs."""
    need_bytes: int | None = None
    """Anonymous, kernel and shared memory now."""
    cpu_cores: float | None = None
    """What it computes now: 1.0 is one core."""
    health: HealthFacts | None = None
    deaths: tuple[Death, ...] = ()
    oom_events: int = 0
    logs: tuple[str, ...] = ()
    kernel: tuple[str, ...] = ()
    """The kernel's lines about its group."""
    file_systems: tuple[FileSystem, ...] = ()
    image: str = ""
    image_architecture: str | None = None
    machine_architecture: str | None = None
    port_holders: tuple[str, ...] = ()
    """Others that hold a host port which this one asks for: ``8000: container shop-web-1``."""
    planned_limit_bytes: int | None = None
    unread: tuple[str, ...] = ()
    """What could not be read, with the reason."""

    @property
    def done(self) -> bool:
        """A job that did its work and ended: a migration, a step that others wait for."""
        return self.one_shot and not self.running and self.exit_code == 0 and not self.error


Sureness = Literal["certain", "likely", "possible"]
"""certain: the kernel, the engine or systemd counted it; likely: it said so itself; possible: it fits."""


class Diagnosis(Noun):
    """What is wrong, how sure that is, why we think so, and what to change."""

    kind: str
    words: str
    sureness: Sureness
    evidence: tuple[str, ...] = ()
    change: str | None = None
    patches: tuple[Patch, ...] = ()
    """Of mlpack.yaml, where there is a lock."""


class DoctorReport(Noun):
    """What ``doctor --json`` prints: each patient with its facts and what is wrong with it."""

    schema_version: Literal[1] = 1
    patients: tuple[Patient, ...]


class Patient(Noun):
    """One container or unit; healthy without a diagnosis."""

    facts: Facts
    diagnoses: tuple[Diagnosis, ...]


DoctorReport.model_rebuild()
