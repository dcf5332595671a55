"""The report for the terminal: verdict first, failures with evidence and remedy, numbers that can be compared."""

from __future__ import annotations

from mlpack.report import CheckResult, LoadResult, ServiceMeasurement, VerifyReport
from mlpack.reports.terminal import EVIDENCE_LINES, lines, verdict

MIB = 1024**2


def report(*checks: CheckResult, **more: object) -> VerifyReport:
    return VerifyReport.model_validate(
        {"project": "shop", "profiles": ("prod",), "launcher": "compose", "checks": checks, "duration_s": 42.0, **more}
    )


PASSED = CheckResult(name="answers", status="passed", summary="3 requests answered as expected", duration_s=1.5)
FAILED = CheckResult(
    name="memory",
    status="failed",
    summary="web needs 1,200 MiB, the limit is 1,178 MiB",
    evidence=("web: anonymous 900 MiB\nmapped 300 MiB",),
    hint="measure and render again",
)
SERVICE = ServiceMeasurement(
    service="web",
    limit_bytes=1000 * MIB,
    predicted_bytes=800 * MIB,
    peak_need_bytes=900 * MIB,
    peak_anonymous_bytes=700 * MIB,
    peak_mapped_bytes=150 * MIB,
    peak_kernel_bytes=50 * MIB,
    oom_kills=0,
    refault_bytes=0,
    requests=200,
)
LOAD = LoadResult(
    requests=200,
    concurrency=8,
    errors=0,
    duration_s=10.0,
    requests_per_s=20.0,
    p50_s=0.12,
    p95_s=0.4,
    p99_s=1.2,
    max_s=2.0,
)


def test_the_verdict_comes_first_and_failures_before_the_rest() -> None:
    shown = lines(report(PASSED, FAILED))
    assert shown[0] == "FAILED  shop prod: 1 passed, 1 failed; compose, 42 s"
    start = next(index for index, line in enumerate(shown) if "memory:" in line)
    assert [line.strip() for line in shown[start : start + 5]] == [
        "FAILED      memory: web needs 1,200 MiB, the limit is 1,178 MiB",
        "web: anonymous 900 MiB",
        "mapped 300 MiB",
        "hint: measure and render again",
        "passed      answers: 3 requests answered as expected (1.5 s)",
    ]


def test_the_verdict_claims_no_more_than_was_proven() -> None:
    unproven = CheckResult(name="memory", status="not_proven", summary="nothing limits it here")
    skipped = CheckResult(name="load", status="skipped", summary="answers failed")
    assert verdict(report(PASSED, unproven)).startswith("PASSED  shop prod: 1 passed, 1 not proven;")
    assert verdict(report(unproven, skipped)).startswith("NOT PROVEN  shop prod: 1 skipped, 1 not proven;")
    assert verdict(report()) == "NOT PROVEN  shop prod: no check ran; compose, 42 s"


def test_what_was_not_limited_and_another_machine_are_said_at_the_top() -> None:
    shown = lines(
        report(PASSED, not_limited=("memory: no cgroup may be made here",), host_differs=("memory: 8 GiB here",))
    )
    assert [line.strip() for line in shown[1:3]] == [
        "not limited here: memory: no cgroup may be made here",
        "not the planned machine: memory: 8 GiB here",
    ]


def test_memory_is_set_against_prediction_and_limit_in_aligned_columns() -> None:
    small = SERVICE.model_copy(
        update={"service": "long-name", "predicted_bytes": 0, "oom_kills": 2, "refault_bytes": 3 * MIB}
    )
    shown = lines(report(PASSED, services=(SERVICE, small)))
    head, web, other, note = shown[-4:]
    assert head.split() == [
        "memory",
        "peak",
        "need",
        "predicted",
        "ratio",
        "limit",
        "used",
        "anonymous",
        "mapped",
        "kernel",
    ]
    assert web.replace(" MiB", "MiB").split() == [
        "web",
        "900MiB",
        "800MiB",
        "1.12",
        "1,000MiB",
        "90%",
        "700MiB",
        "150MiB",
        "50MiB",
    ]
    assert other.replace(" MiB", "MiB").split()[3] == "-"
    assert len({len(head), len(web), len(other)}) == 1
    assert note == "  long-name: 2 killed for memory, 3 MiB read back from disk"


def test_the_load_with_and_without_errors() -> None:
    assert lines(report(PASSED, load=LOAD))[-2:] == (
        "load: 200 requests, 8 at once, no error, 20/s in 10 s",
        "  p50 120 ms, p95 400 ms, p99 1.2 s, slowest 2 s",
    )
    broken = LOAD.model_copy(update={"errors": 200, "error_kinds": {"timed out": 1, "status 503": 199}})
    assert lines(report(FAILED, load=broken))[-2:] == ("  199 x status 503", "  1 x timed out")


def test_logs_cannot_steer_the_terminal_or_flood_it() -> None:
    logs = "\x1b[2Jgone\r\n\tindented\n" + "".join(f"line {n}\n" for n in range(100))
    shown = lines(report(FAILED.model_copy(update={"evidence": (logs,)})))
    assert all(line.isprintable() for line in shown)
    assert any(r"\x1b[2Jgone" in line for line in shown)
    assert sum("line " in line and "more" not in line for line in shown) == EVIDENCE_LINES - 2
    assert any("62 more lines" in line for line in shown)
