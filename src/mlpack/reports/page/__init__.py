"""A VerifyReport as one HTML page that needs nothing else: no network, no script, every text of others escaped."""

from __future__ import annotations

from collections import Counter

from markupsafe import Markup

from mlpack.plan import Plan
from mlpack.report import Status, VerifyReport
from mlpack.reports.page.checks import badge, checks_section
from mlpack.reports.page.decisions import decisions_section
from mlpack.reports.page.element import el
from mlpack.reports.page.latency import load_section
from mlpack.reports.page.memory import memory_section
from mlpack.reports.page.style import STYLE
from mlpack.reports.terminal import ORDER, WORDS
from mlpack.units import show_duration

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Nothing is fetched and nothing can run, whatever got into the page."""


def page(report: VerifyReport, plan: Plan | None = None) -> str:
    """The page's text. ``plan``: the decisions, where they are at hand."""
    head = (
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta http-equiv="Content-Security-Policy" content="{}">').format(POLICY),
        Markup('<link rel="icon" href="data:,">'),
        el("title", f"{_name(report)}: {WORDS[_verdict(report)].lower()}"),
        el("style", Markup(STYLE)),
    )
    body = (
        _header(report),
        _tiles(report),
        _wrong(report),
        _notes(report),
        memory_section(report.services) if report.services else None,
        load_section(report.load) if report.load is not None else None,
        checks_section(report.checks),
        decisions_section(plan) if plan is not None else None,
        _footer(report),
    )
    return Markup("<!DOCTYPE html>\n") + el("html", el("head", head), el("body", body), lang="en") + "\n"


def _name(report: VerifyReport) -> str:
    return " ".join((report.project, *report.profiles))


def _verdict(report: VerifyReport) -> Status:
    if not report.passed:
        return "failed"
    return "passed" if any(check.status == "passed" for check in report.checks) and not report.open else "not_proven"


def _header(report: VerifyReport) -> Markup:
    when = (report.began_at or "").replace("T", " ").replace("Z", " UTC")
    said = (when, report.machine or "", f"by {report.launcher}", f"took {show_duration(report.duration_s)}")
    return el(
        "header",
        badge(_verdict(report), "verdict"),
        el("h1", _name(report)),
        el("p", ", ".join(filter(None, said)), class_="said"),
    )


def _tiles(report: VerifyReport) -> Markup:
    counts = Counter(check.status for check in report.checks)
    others = [status for status in ORDER if counts[status] and status != "passed"]
    said = ", ".join(f"{counts[status]} {WORDS[status].lower()}" for status in others)
    tiles = [(f"{counts['passed']} of {len(report.checks)}", f"checks passed{f'; {said}' if said else ''}")]
    full = [(one.peak_need_bytes / one.limit_bytes, one) for one in report.services if one.limit_bytes]
    if full:
        share, one = max(full, key=lambda pair: pair[0])
        tiles.append((f"{share:.0%}", f"of its limit, at most ({one.instance or one.service})"))
    if report.load is not None:
        tiles.append((f"{report.load.requests_per_s:.3g}/s", f"right answers, {report.load.concurrency} at once"))
        tiles.append((show_duration(report.load.p95_s), "for 95 of 100 right answers"))
        tiles.append((f"{report.load.errors}", f"errors in {report.load.requests} requests"))
    return el(
        "div", [el("div", el("b", value), el("span", words), class_="tile") for value, words in tiles], class_="tiles"
    )


def _wrong(report: VerifyReport) -> Markup | None:
    failed = [check for check in report.checks if check.status == "failed"]
    if not failed:
        return None
    lines = [
        el(
            "li",
            el("b", check.name),
            ": ",
            check.summary,
            [Markup("<br>"), f"What to do: {check.hint}"] if check.hint else None,
        )
        for check in failed
    ]
    return el("div", el("b", "What is wrong"), el("ul", lines), class_="note wrong")


def _notes(report: VerifyReport) -> list[Markup]:
    said = (("Not limited here", report.not_limited), ("Not the planned machine", report.host_differs))
    return [
        el("div", el("b", title), el("ul", [el("li", line) for line in lines]), class_="note")
        for title, lines in said
        if lines
    ]


def _footer(report: VerifyReport) -> Markup:
    return el("footer", f"mlpack {report.mlpack_version or ''}".strip(), ". This page holds everything it shows.")
