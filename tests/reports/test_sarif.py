"""SARIF: what a code host needs to show a finding on its line."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Official

from mlpack.audit import RULES
from mlpack.reports.sarif import SarifResult, SarifRule, sarif


def test_a_result_names_rule_level_and_line() -> None:
    rule = SarifRule("swap", "note", "Swap", "Source: x")
    text = sarif([rule], [SarifResult("swap", "note", "a -> b", "./dir/a file.yml", 7)], "1.0")
    log = json.loads(text)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert run["tool"]["driver"]["rules"][0]["id"] == "swap"
    (result,) = run["results"]
    assert (result["ruleId"], result["ruleIndex"], result["level"]) == ("swap", 0, "note")
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "dir/a%20file.yml"}, "region": {"startLine": 7}}


def test_a_clean_run_has_an_empty_list_of_results() -> None:
    assert json.loads(sarif([], [], "1.0"))["runs"][0]["results"] == []


def test_files_elsewhere_are_uris() -> None:
    text = sarif([SarifRule("r", "error", "R", "h")], [SarifResult("r", "error", "m", "/tmp/x y", 0)], "1")
    place = json.loads(text)["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "file:///tmp/x%20y"}, "region": {"startLine": 1}}


def test_the_official_schema_accepts_it_and_would_refuse_a_mistake() -> None:
    """pydantic_sarif is generated from OASIS' sarif-schema-2.1.0.json; unknown keys are looked for by comparing."""
    rules = [SarifRule(rule.id, rule.severity, rule.summary, f"Source: {rule.source}") for rule in RULES]
    results = [SarifResult(rule.id, rule.severity, f"a -> b: {rule.summary}", "a b/c.yml", 3) for rule in RULES]
    log = json.loads(sarif(rules, results, "1.0"))
    read = Official.model_validate(log)
    assert json.loads(read.model_dump_json(by_alias=True, exclude_unset=True)) == log, "a key that the schema knows not"
    assert read.runs[0].results is not None
    assert len(read.runs[0].results) == len(RULES)
    log["runs"][0]["results"][0]["level"] = "critical"
    with pytest.raises(ValidationError):
        Official.model_validate(log)
