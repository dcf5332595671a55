"""Every form of a report: read by its own reader, with texts that try to break out of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from tests.reports.hostile import BAD, WORST, report, service

from mlpack.errors import UsageError
from mlpack.report import VerifyReport
from mlpack.reports.forms import FORMS, report_text, require_form
from mlpack.reports.junit import junit
from mlpack.reports.page import page
from mlpack.reports.summary import summary


class Elements(HTMLParser):
    """Tags that are open, those there were, and whether each was closed by its own end."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.wrong: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(text: str) -> Elements:
    elements = Elements()
    elements.feed(text)
    assert elements.wrong == []
    assert elements.open == []
    return elements


@pytest.mark.parametrize("text", ["fine", WORST])
def test_the_page_holds_no_element_but_its_own(text: str) -> None:
    shape = [tag for tag, _ in parsed(page(report())).seen]
    hostile = parsed(page(report(text)))
    assert [tag for tag, _ in hostile.seen] == shape
    assert not {"script", "img", "iframe", "a"} & set(shape)
    assert not any(
        name.startswith("on") or (name in ("src", "href") and value != "data:,")
        for _, own in hostile.seen
        for name, value in own.items()
    )
    assert any(own.get("content", "").startswith("default-src 'none'") for tag, own in hostile.seen if tag == "meta")  # type: ignore[union-attr]
    assert "\u202e" not in page(report(text))
    if text is WORST:
        assert BAD in "".join(hostile.words), "shown as it is"


def test_the_page_says_what_the_report_says() -> None:
    words = " ".join(parsed(page(report())).words)
    for said in ("✗ failed", "shop fine prod fine", "1 killed for memory", "80% of the limit", "450 MiB", "p95 400 ms"):
        assert said in words, said
    assert "2026-11-23 02:26:33 UTC" in words


def test_the_curve_reaches_its_peak_and_lines_stand_at_their_values() -> None:
    made = page(report())
    circle = re.search(r'<circle cx="([\d.]+)" cy="([\d.]+)"', made)
    limit = re.search(r'd="M\d+ ([\d.]+)H\d+" class="line limit"', made)
    predicted = re.search(r'd="M\d+ ([\d.]+)H\d+" class="line predicted"', made)
    ground = re.search(r'd="M\d+ ([\d.]+)H\d+" class="axis"', made)
    assert circle
    assert limit
    assert predicted
    assert ground
    bottom = float(ground[1])
    unit = (bottom - float(limit[1])) / 500  # of 500 MiB
    assert bottom - float(predicted[1]) == pytest.approx(450 * unit, abs=0.1)
    assert bottom - float(circle[2]) == pytest.approx(400 * unit, abs=0.1)


def test_a_report_with_nothing_measured_is_a_page() -> None:
    parsed(page(report(checks=(), services=(), load=None)))
    parsed(page(report(services=(service().model_copy(update={"samples": (), "limit_bytes": 0}),))))


@pytest.mark.parametrize("text", ["fine", WORST])
def test_junit_counts_and_names(text: str) -> None:
    root = Xml.fromstring(junit(report(text)).encode())
    (suite,) = root
    assert {key: suite.attrib[key] for key in ("tests", "failures", "errors", "skipped", "time", "timestamp")} == {
        "tests": "4",
        "failures": "1",
        "errors": "0",
        "skipped": "2",
        "time": "42.000",
        "timestamp": "2026-11-23T02:26:33",
    }
    cases = {case.attrib["name"]: case for case in suite}
    assert [child.tag for child in cases["memory"]] == ["failure"]
    assert [child.tag for child in cases["load"]] == ["skipped", "system-out"]
    assert cases["load"][0].attrib["message"].startswith("not proven: ")
    assert "What to do: measure" in (cases["memory"][0].text or "")
    assert (BAD in (cases["memory"][0].text or "")) == (text is WORST)


def test_the_summary_keeps_its_shape() -> None:
    good, bad = summary(report()).splitlines(), summary(report(WORST)).splitlines()
    assert good[0].startswith("## ❌ FAILED  shop".replace("  ", " "))
    tables = [line.count("|") for line in good if line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in bad if line.startswith("|")] == tables
    assert [line for line in bad if line.startswith("#") and line[2:9] == "heading"] == []
    assert not any("<script>" in line and r"\<script" not in line for line in bad if not line.startswith("    "))
    assert any(line.startswith("| web-1 fine | 400 MiB | 450 MiB | 500 MiB | 80% | 1 |") for line in good)


def test_json_is_the_report_itself(tmp_path: Path) -> None:
    made = report()
    assert VerifyReport.model_validate_json(report_text(made, None, tmp_path / "x.JSON")) == made


def test_the_name_decides_the_form_before_anything_runs() -> None:
    assert set(FORMS) == {".json", ".xml", ".md", ".html"}
    for name in ("report.pdf", "report"):
        with pytest.raises(UsageError, match="a report cannot be a"):
            require_form(Path(name))
