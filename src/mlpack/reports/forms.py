"""Which form a report file has: by the end of its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mlpack.errors import UsageError
from mlpack.plan import Plan
from mlpack.report import VerifyReport
from mlpack.reports.junit import junit
from mlpack.reports.page import page
from mlpack.reports.summary import summary

FORMS: dict[str, Callable[[VerifyReport, Plan | None], str]] = {
    ".json": lambda report, _: report.to_json(),
    ".xml": lambda report, _: junit(report),
    ".md": lambda report, _: summary(report),
    ".html": page,
}


def require_form(path: Path) -> None:
    """Raise UsageError where ``path`` names no form: before anything runs for minutes."""
    if path.suffix.lower() not in FORMS:
        known = ".json, .xml (JUnit), .md (a job's summary) or .html (a page)"
        raise UsageError(
            f"a report cannot be a {path.suffix or 'file without an ending'}", where=str(path), hint=f"name it {known}"
        )


def report_text(report: VerifyReport, plan: Plan | None, path: Path) -> str:
    """The report in the form that ``path`` names. Raises UsageError."""
    require_form(path)
    return FORMS[path.suffix.lower()](report, plan)
