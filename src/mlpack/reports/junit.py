"""JUnit XML, as CI systems read it: a test case a check, with its evidence. What was not proven counts as skipped.

Source: the schema of Jenkins' xunit plugin (junit-10.xsd), whose elements GitLab, GitHub's reporters and Azure read.
"""

from __future__ import annotations

from xml.etree import ElementTree as Xml

from mlpack.report import CheckResult, VerifyReport
from mlpack.reports.plain import plain, plain_text


def junit(report: VerifyReport) -> str:
    """The report's text, ending in a newline."""
    name = plain(" ".join((report.project, *report.profiles)))
    counts = {
        "tests": len(report.checks),
        "failures": sum(check.status == "failed" for check in report.checks),
        "errors": 0,
        "skipped": sum(check.status in ("skipped", "not_proven") for check in report.checks),
    }
    numbers = {key: str(value) for key, value in counts.items()} | {"time": f"{report.duration_s:.3f}"}
    root = Xml.Element("testsuites", {"name": f"mlpack verify {name}", **numbers})
    suite = Xml.SubElement(root, "testsuite", {"name": f"mlpack verify {name}", **numbers})
    if report.began_at is not None:
        suite.set("timestamp", report.began_at.removesuffix("Z"))
    for check in report.checks:
        suite.append(_case(check, f"mlpack.{name.replace(' ', '.')}"))
    Xml.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{Xml.tostring(root, encoding="unicode")}\n'


def _case(check: CheckResult, group: str) -> Xml.Element:
    case = Xml.Element("testcase", {"classname": group, "name": check.name, "time": f"{check.duration_s:.3f}"})
    said = "\n".join((plain_text(check.summary), *map(plain_text, check.evidence)))
    if check.status == "passed":
        Xml.SubElement(case, "system-out").text = said
        return case
    hint = f"\nWhat to do: {plain_text(check.hint)}" if check.hint else ""
    if check.status == "failed":
        Xml.SubElement(case, "failure", {"type": check.name, "message": plain(check.summary)}).text = said + hint
        return case
    why = "not proven: " if check.status == "not_proven" else ""
    Xml.SubElement(case, "skipped", {"message": why + plain(check.summary)})
    Xml.SubElement(case, "system-out").text = said + hint
    return case
