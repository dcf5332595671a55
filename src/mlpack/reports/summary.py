"""A VerifyReport in Markdown, for the summary of a CI job or a comment: verdict, failures, checks, memory, load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlpack.quoting.markdown import md, md_code_cell
from mlpack.report import CheckResult, LoadResult, ServiceMeasurement, VerifyReport
from mlpack.reports.plain import plain, plain_text
from mlpack.reports.terminal import EVIDENCE_LINES, ORDER, WORDS, verdict
from mlpack.units import show_duration, show_mib

SIGNS = {"passed": "✅", "failed": "❌", "not_proven": "❔", "skipped": "➖"}


def summary(report: VerifyReport) -> str:
    """The text, ending in a newline. GitHub takes up to 1 MiB of it; a check's evidence is cut after 40 lines."""
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: VerifyReport) -> Iterator[str]:
    sign = SIGNS["failed" if not report.passed else "not_proven" if verdict(report).startswith("NOT") else "passed"]
    yield f"## {sign} {_text(verdict(report))}"
    yield ""
    for title, said in (("Not limited here", report.not_limited), ("Not the planned machine", report.host_differs)):
        yield from (f"- {title}: {_text(line)}" for line in said)
    yield ""
    for check in report.checks:
        if check.status == "failed":
            yield from _failed(check)
    yield "| check | | answer | took |"
    yield "|---|---|---|---:|"
    for status in ORDER:
        yield from (_row(check) for check in report.checks if check.status == status)
    yield ""
    if report.services:
        yield from _memory(report.services)
    if report.load is not None:
        yield from _load(report.load)


def _failed(check: CheckResult) -> Iterator[str]:
    yield f"### {_text(check.name)}: {_text(check.summary)}"
    yield ""
    if check.hint:
        yield f"**What to do:** {_text(check.hint)}"
        yield ""
    for patch in check.patches:
        after = ", ".join(patch.after) if isinstance(patch.after, tuple) else str(patch.after)
        yield f"- {md_code_cell(plain(f'{patch.path}: {after}'))} ({_text(patch.reason)})"
    evidence = [line for text in check.evidence for line in plain_text(text).splitlines()]
    if evidence:
        left = len(evidence) - EVIDENCE_LINES
        shown = evidence[:EVIDENCE_LINES] + ([f"... {left} more lines"] if left > 0 else [])
        # indented, not fenced: no line of it can end the block
        yield from ("", *(f"    {line}" for line in shown), "")


def _row(check: CheckResult) -> str:
    took = show_duration(check.duration_s) if check.duration_s >= 0.1 else ""
    said = f"{SIGNS[check.status]} {WORDS[check.status].lower()}"
    return f"| {_text(check.name)} | {said} | {_text(check.summary)} | {took} |"


def _memory(services: Sequence[ServiceMeasurement]) -> Iterator[str]:
    yield "| memory | peak need | predicted | limit | used | killed |"
    yield "|---|---:|---:|---:|---:|---:|"
    for one in services:
        used = f"{one.peak_need_bytes / one.limit_bytes:.0%}" if one.limit_bytes else "-"
        sizes = (one.peak_need_bytes, one.predicted_bytes, one.limit_bytes)
        cells = (_text(one.instance or one.service), *map(show_mib, sizes), used, str(one.oom_kills))
        yield f"| {' | '.join(cells)} |"
    yield ""


def _load(load: LoadResult) -> Iterator[str]:
    yield "| load | at once | errors | requests/s | p50 | p95 | p99 | slowest |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    times = [show_duration(one) for one in (load.p50_s, load.p95_s, load.p99_s, load.max_s)]
    numbers = (f"{load.requests} requests", str(load.concurrency), str(load.errors), f"{load.requests_per_s:.3g}")
    yield f"| {' | '.join((*numbers, *times))} |"
    yield ""
    for kind, count in sorted(load.error_kinds.items(), key=lambda item: (-item[1], item[0])):
        yield f"- {count} x {_text(kind)}"


def _text(value: str) -> str:
    """One line of running text: markup and controls of others are shown, not obeyed."""
    return str(md(plain(" ".join(value.split()))))
