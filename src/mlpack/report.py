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


class CheckResult(Noun):
    """One question and its answer. ``skipped`` and ``not_proven`` always say why, and never count as passed."""

    name: str
    status: Status
    summary: str
    evidence: tuple[str, ...] = ()
    hint: str | None = None
    duration_s: float = 0.0


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

    @property
    def passed(self) -> bool:
        """No check failed. Skipped and unproven checks are shown, they do not fail a run by themselves."""
        return all(check.status != "failed" for check in self.checks)

    @property
    def open(self) -> bool:
        """Nothing failed, but the planned cards are not here: neither passed nor failed."""
        return self.passed and any(check.name == "cards" and check.status == "not_proven" for check in self.checks)
