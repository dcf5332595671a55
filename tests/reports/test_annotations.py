"""Annotations: spelled so that no text ends its line, and placed on the key that would mend it."""

from __future__ import annotations

import json

from tests.reports.hostile import WORST, report

from mlpack.reports.annotations import Annotation, github, gitlab, line_of, of_report

SPEC = """\
name: shop
services:
  web:
    server: gunicorn
    env: {a.b: "1"}
    memory: 512M
profiles:
  prod: {}
"""


def test_a_line_is_one_command() -> None:
    (line,) = github([Annotation("r,x:y", "error", f"50 % of\n{WORST}", "a,b:c.yaml", 0)])
    assert line.startswith("::error file=a%2Cb%3Ac.yaml,line=1,title=mlpack r%2Cx%3Ay::50 %25 of%0A")
    assert line.isprintable()
    assert line.count("%0A") > 2


def test_notes_are_notices() -> None:
    assert github([Annotation("r", "note", "m", "f", 3)]) == ("::notice file=f,line=3,title=mlpack r::m",)


def test_gitlab_reads_what_its_format_asks_for() -> None:
    one, two = json.loads(
        gitlab([Annotation("r", "error", "m", "./f.yml", 3), Annotation("r", "note", "other", "f.yml", 3)])
    )
    assert one["severity"] == "critical"
    assert one["location"] == {"path": "f.yml", "lines": {"begin": 3}}
    assert {*one} == {"description", "check_name", "fingerprint", "severity", "location"}
    assert one["fingerprint"] != two["fingerprint"]
    moved = json.loads(gitlab([Annotation("r", "error", "m", "./f.yml", 9)]))
    assert moved[0]["fingerprint"] == one["fingerprint"]


def test_the_line_of_a_key() -> None:
    assert line_of(SPEC, "services.web.memory") == 6
    assert line_of(SPEC, "services.web.timeout") == 3
    assert line_of(SPEC, "services.web.env.a.b") == 5
    assert line_of(SPEC, "build.apt") == 1
    assert line_of("a: [", "a") == 1


def test_failed_checks_stand_on_what_mends_them() -> None:
    failed, unproven = of_report(report(), SPEC, "mlpack.yaml")
    assert (failed.rule, failed.level, failed.line) == ("memory", "error", 6)
    assert (unproven.rule, unproven.level, unproven.line) == ("load", "note", 1)
    assert "What to do: measure fine" in failed.message
