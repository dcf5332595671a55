"""A VerifyReport for the terminal: the verdict, what failed with its evidence and remedy, the rest in a line each,
then memory against limit and prediction, and the load. Pure text; colours are the console's business."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from mlpack.report import CheckResult, LoadResult, ServiceMeasurement, Status, VerifyReport
from mlpack.reports.plain import plain
from mlpack.units import show_bytes, show_duration, show_mib

ORDER: tuple[Status, ...] = ("failed", "not_proven", "skipped", "passed")
WORDS: dict[Status, str] = {
    "failed": "FAILED",
    "not_proven": "not proven",
    "skipped": "skipped",
    "passed": "passed",
}
EVIDENCE_LINES = 40
"""Of one check; logs may be long, and the JSON report holds all of them."""
INDENT = " " * (max(map(len, WORDS.values())) + 2)


def lines(report: VerifyReport) -> tuple[str, ...]:
    """The whole report, a line each, without line ends or control characters."""
    parts: list[Iterable[str]] = [_head(report)]
    parts += [_check(check) for status in ORDER for check in report.checks if check.status == status]
    if report.services:
        parts.append(("", *_memory(report.services)))
    if report.load is not None:
        parts.append(("", *_load(report.load)))
    return tuple(plain(line) for part in parts for line in part)


def verdict(report: VerifyReport) -> str:
    """The answer in a line: ``PASSED  shop prod: 7 passed, 1 not proven; compose, 42 s``."""
    counts = Counter(check.status for check in report.checks)
    said = ", ".join(f"{counts[status]} {WORDS[status].lower()}" for status in reversed(ORDER) if counts[status])
    word = "PASSED" if report.passed else "FAILED"
    if report.passed and (report.open or not counts["passed"]):
        word = "NOT PROVEN"
    what = " ".join((report.project, *report.profiles))
    return f"{word}  {what}: {said or 'no check ran'}; {report.launcher}, {show_duration(report.duration_s)}"


def _head(report: VerifyReport) -> Iterator[str]:
    yield verdict(report)
    for title, said in (("not limited here", report.not_limited), ("not the planned machine", report.host_differs)):
        yield from (f"{INDENT}{title}: {line}" for line in said)
    yield ""


def _check(check: CheckResult) -> Iterator[str]:
    word = WORDS[check.status]
    took = f" ({show_duration(check.duration_s)})" if check.duration_s >= 1 else ""
    summary = check.summary.splitlines() or [""]
    yield f"{word:<{len(INDENT)}}{check.name}: {summary[0]}{took}"
    yield from (f"{INDENT}  {line}" for line in summary[1:])
    if check.status in {"failed", "not_proven"}:
        evidence = [line for text in check.evidence for line in text.splitlines()]
        yield from (f"{INDENT}  {line}" for line in evidence[:EVIDENCE_LINES])
        if len(evidence) > EVIDENCE_LINES:
            yield f"{INDENT}  ... {len(evidence) - EVIDENCE_LINES} more lines; --report FILE keeps all of them"
    if check.hint and check.status != "passed":
        yield from (f"{INDENT}  {line}" for line in f"hint: {check.hint}".splitlines())


def _memory(services: Sequence[ServiceMeasurement]) -> Iterator[str]:
    rows = [("memory", "peak need", "predicted", "ratio", "limit", "used", "anonymous", "mapped", "kernel")]
    for service in services:
        rows.append(
            (
                service.service,
                show_mib(service.peak_need_bytes),
                show_mib(service.predicted_bytes),
                _ratio(service.peak_need_bytes, service.predicted_bytes, "{:.2f}"),
                show_mib(service.limit_bytes),
                _ratio(service.peak_need_bytes, service.limit_bytes, "{:.0%}"),
                show_mib(service.peak_anonymous_bytes),
                show_mib(service.peak_mapped_bytes),
                show_mib(service.peak_kernel_bytes),
            )
        )
    yield from _aligned(rows)
    for service in services:
        noted = [
            f"{service.oom_kills} killed for memory" if service.oom_kills else "",
            f"{show_bytes(service.refault_bytes)} read back from disk" if service.refault_bytes else "",
            f"waited {show_duration(service.throttled_s)} for its CPU quota" if service.throttled_s else "",
        ]
        if any(noted):
            yield f"  {service.service}: {', '.join(filter(None, noted))}"


def _load(load: LoadResult) -> Iterator[str]:
    errors = f"{load.errors} errors" if load.errors else "no error"
    yield (
        f"load: {load.requests} requests, {load.concurrency} at once, {errors}, "
        f"{load.requests_per_s:.3g}/s in {show_duration(load.duration_s)}"
    )
    if load.errors < load.requests:
        times = (("p50", load.p50_s), ("p95", load.p95_s), ("p99", load.p99_s), ("slowest", load.max_s))
        yield f"  {', '.join(f'{name} {show_duration(seconds)}' for name, seconds in times)}"
    for kind, count in sorted(load.error_kinds.items(), key=lambda item: (-item[1], item[0])):
        yield f"  {count} x {kind}"


def _ratio(part: int, whole: int, form: str) -> str:
    return form.format(part / whole) if whole > 0 else "-"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Names to the left, numbers to the right, two spaces between columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [f"{first:<{widths[0]}}", *(f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True))]
        yield "  ".join(cells)
