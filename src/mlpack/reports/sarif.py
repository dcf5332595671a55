"""SARIF 2.1.0: findings as code hosts show them on the lines of a change. Source: OASIS SARIF 2.1.0, section 3.13."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


@dataclass(frozen=True)
class SarifRule:
    """A rule as SARIF knows it; ``level`` is what it is by default."""

    id: str
    level: Literal["error", "warning", "note"]
    summary: str
    help: str


@dataclass(frozen=True)
class SarifResult:
    """One finding; ``file`` relative to the repository, with slashes; ``line`` from 1."""

    rule: str
    level: Literal["error", "warning", "note"]
    message: str
    file: str
    line: int


def sarif(rules: Sequence[SarifRule], results: Iterable[SarifResult], version: str) -> str:
    """The log of one run, as text that ends in a newline. Each result's rule must be among ``rules``."""
    index = {rule.id: number for number, rule in enumerate(rules)}
    driver = {
        "name": "mlpack",
        "version": version,
        "rules": [
            {
                "id": rule.id,
                "shortDescription": {"text": rule.summary},
                "help": {"text": rule.help},
                "defaultConfiguration": {"level": rule.level},
            }
            for rule in rules
        ],
    }
    rows = [
        {
            "ruleId": one.rule,
            "ruleIndex": index[one.rule],
            "level": one.level,
            "message": {"text": one.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": _uri(one.file)},
                        "region": {"startLine": max(1, one.line)},
                    }
                }
            ],
        }
        for one in results
    ]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": rows}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _uri(file: str) -> str:
    """Relative as it is; an absolute path as a file URI."""
    return f"file://{quote(file)}" if file.startswith("/") else quote(file.removeprefix("./"))
