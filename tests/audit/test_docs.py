"""docs/audit.md lists the rules as they are."""

from __future__ import annotations

from pathlib import Path

from mlpack.audit import RULES


def test_every_rule_is_documented_with_its_severity() -> None:
    text = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    missing = [rule.id for rule in RULES if f"| `{rule.id}` | {rule.severity} |" not in text]
    assert missing == []
