"""VerifyReport and Finding: what a check found, with the evidence and what to change."""

from __future__ import annotations

from typing import Literal

from mlpack.noun import Noun

Status = Literal["passed", "failed", "skipped", "not_proven"]


class Finding(Noun):
    """Something wrong (or worth knowing) at a place. ``code`` is stable, for filters and SARIF."""

    code: str
    severity: Literal["error", "warning", "note"]
    message: str
    where: str | None = None
    """file:line, or a dotted path of the spec."""
    hint: str | None = None


class Patch(Noun):
    """A change of mlpack.yaml that would mend a failed check, with its reason; ``verify --fix`` applies it."""

    path: str
    """Dotted, as one writes it: ``services.web.timeout``."""
    before: str | None
    """What is in force now, in words of mlpack.yaml; None: nothing is said."""
    after: bool | int | float | str | tuple[str, ...]
    """A list stands for itself and replaces the one below it."""
    reason: str


class CheckResult(Noun):
    """One question and its answer. ``skipped`` and ``not_proven`` always say why, and never count as passed."""

    name: str
    status: Status
    summary: str
    evidence: tuple[str, ...] = ()
    hint: str | None = None
    duration_s: float = 0.0
    cause: str | None = None
    """The kind of what most likely went wrong (``verify.cause.KINDS``); None where nothing was recognised."""
    patches: tuple[Patch, ...] = ()
    """What to change in mlpack.yaml, where a change of it mends this."""


class MemorySample(Noun):
    """A service's memory at a moment, ``at_s`` seconds after start. Bytes; mapped counts each file once."""

    at_s: float
    anonymous_bytes: int
    mapped_bytes: int
    kernel_bytes: int
    shm_bytes: int = 0

    @property
    def need_bytes(self) -> int:
        """What cannot be dropped without thrashing: anonymous + mapped + kernel + shm."""
        return self.anonymous_bytes + self.mapped_bytes + self.kernel_bytes + self.shm_bytes


class ServiceMeasurement(Noun):
    """What one service used while it was verified, against limit and prediction."""

    service: str
    instance: str | None = None
    """Which copy of it: ``web-1``."""
    limit_bytes: int
    predicted_bytes: int
    peak_need_bytes: int
    peak_anonymous_bytes: int
    peak_mapped_bytes: int
    peak_kernel_bytes: int
    oom_kills: int
    refault_bytes: int | None
    """Read back from disk during the load; None where nothing counts it."""
    requests: int
    throttled_s: float | None = None
    samples: tuple[MemorySample, ...] = ()
    load_span_s: tuple[float, float] | None = None
    """When the load began and ended, on the samples' clock; None where there was none."""
    rest_anonymous_bytes: int | None = None
    """Held at rest after the load, all processes together; None where that was not read."""
    worker_anonymous_bytes: int | None = None
    """Of it, one worker's share (PSS), on average."""
    request_s: float | None = None
    """Its largest request alone."""


class LatencyBin(Noun):
    """How many right answers took at least ``from_s`` and less than ``to_s`` seconds."""

    from_s: float
    to_s: float
    count: int


class LoadResult(Noun):
    """A load of requests: how many, how many went wrong, and how long they took."""

    requests: int
    concurrency: int
    errors: int
    duration_s: float
    requests_per_s: float
    p50_s: float
    p95_s: float
    p99_s: float
    max_s: float
    error_kinds: dict[str, int] = {}
    latencies: tuple[LatencyBin, ...] = ()
    """Of the right answers, ascending, 20 bins a decade; empty ones are left out."""


class VerifyReport(Noun):
    """One verification, whole: what ran, where, what was asked, what was found, and what could not be limited."""

    schema_version: Literal[1] = 1
    project: str
    profiles: tuple[str, ...]
    launcher: Literal["compose", "process", "systemd"]
    not_limited: tuple[str, ...] = ()
    """What this launcher could not enforce, each with the reason."""
    host_differs: tuple[str, ...] = ()
    """Where this machine differs from the one in the lock."""
    checks: tuple[CheckResult, ...]
    services: tuple[ServiceMeasurement, ...] = ()
    load: LoadResult | None = None
    duration_s: float = 0.0
    mlpack_version: str | None = None
    began_at: str | None = None
    """UTC, ISO 8601 to the second."""
    machine: str | None = None
    """Where it ran, in words: ``2 cores, 24 GiB, x86_64``."""

    @property
    def passed(self) -> bool:
        """No check failed. Skipped and unproven checks are shown, they do not fail a run by themselves."""
        return all(check.status != "failed" for check in self.checks)

    @property
    def open(self) -> bool:
        """Nothing failed, but the planned cards are not here: neither passed nor failed."""
        return self.passed and any(check.name == "cards" and check.status == "not_proven" for check in self.checks)
