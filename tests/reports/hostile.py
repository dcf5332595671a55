"""A report whose every text is as bad as a log may be, and a good one; for tests of all forms."""

from __future__ import annotations

from mlpack.report import (
    CheckResult,
    LatencyBin,
    LoadResult,
    MemorySample,
    Patch,
    ServiceMeasurement,
    VerifyReport,
)
from mlpack.units import MIB

BAD = "</title></style></script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>\"'`|&amp;]]>"
"""Ends every element and attribute it may stand in."""
STEERING = "\x1b[2J\x00\x07\u202egnp.exe \ud83d <!-- --> ::error::no\r\n| a | b |\n```\n# heading\n%0A"
"""Controls, a bidirectional override, half of a surrogate pair, other dialects' markup."""
WORST = BAD + STEERING


def report(text: str = "fine", **more: object) -> VerifyReport:
    """A report with a failed, an unproven, a skipped and a passed check, a copy's memory and a load."""
    failed = CheckResult(
        name="memory",
        status="failed",
        summary=f"web-1 needs more {text}",
        evidence=(text, f"web-1 said: {text}"),
        hint=f"measure {text}",
        duration_s=2.0,
        patches=(Patch(path="services.web.memory", before="512M", after="768M", reason=text),),
    )
    values: dict[str, object] = {
        "project": f"shop {text}",
        "profiles": ("prod", text),
        "launcher": "compose",
        "checks": (
            CheckResult(name="answers", status="passed", summary=text, evidence=(text,), duration_s=1.5),
            failed,
            CheckResult(name="load", status="not_proven", summary=text, hint=text),
            CheckResult(name="growth", status="skipped", summary=text),
        ),
        "not_limited": (text,),
        "host_differs": (text,),
        "services": (service(text),),
        "load": load(text),
        "duration_s": 42.0,
        "mlpack_version": "1.0",
        "began_at": "2026-11-23T02:26:33Z",
        "machine": text,
    }
    return VerifyReport.model_validate({**values, **more})


def service(text: str = "web") -> ServiceMeasurement:
    """100 MiB of 500 MiB at 0 s, 400 MiB at 10 s, under load from 4 s."""
    samples = (
        MemorySample(at_s=0.0, anonymous_bytes=80 * MIB, mapped_bytes=15 * MIB, kernel_bytes=5 * MIB),
        MemorySample(at_s=10.0, anonymous_bytes=300 * MIB, mapped_bytes=90 * MIB, kernel_bytes=10 * MIB),
    )
    return ServiceMeasurement(
        service="web",
        instance=f"web-1 {text}",
        limit_bytes=500 * MIB,
        predicted_bytes=450 * MIB,
        peak_need_bytes=400 * MIB,
        peak_anonymous_bytes=300 * MIB,
        peak_mapped_bytes=90 * MIB,
        peak_kernel_bytes=10 * MIB,
        oom_kills=1,
        refault_bytes=3 * MIB,
        requests=200,
        samples=samples,
        load_span_s=(4.0, 9.0),
    )


def load(text: str = "status 503") -> LoadResult:
    """100 requests, 10 of them wrong."""
    return LoadResult(
        requests=100,
        concurrency=8,
        errors=10,
        duration_s=10.0,
        requests_per_s=9.0,
        p50_s=0.1,
        p95_s=0.4,
        p99_s=1.2,
        max_s=1.9,
        error_kinds={text: 10},
        latencies=(LatencyBin(from_s=0.1, to_s=0.112, count=80), LatencyBin(from_s=1.8, to_s=2.0, count=10)),
    )
