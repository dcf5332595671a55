"""``audit``: what is wrong with a deployment that mlpack did not write, as findings with before, after and reason."""

from __future__ import annotations

from collections.abc import Iterable

from mlpack.audit.deployment import Deployment
from mlpack.audit.finding import SEVERITIES, AuditFinding, AuditReport, Hit, Severity, finding
from mlpack.audit.override import override_text
from mlpack.audit.read import read_deployment
from mlpack.audit.rules import RULES

__all__ = [
    "RULES",
    "SEVERITIES",
    "AuditFinding",
    "AuditReport",
    "Severity",
    "audit",
    "once",
    "override_text",
    "read_deployment",
]


def audit(deployment: Deployment) -> tuple[tuple[AuditFinding, Hit], ...]:
    """Every finding with the hit it came from: the worst first, then by file and line."""
    found = [(finding(rule, hit), hit) for rule in RULES for hit in rule.check(deployment)]
    return tuple(sorted(found, key=lambda pair: _order(pair[0])))


def once(found: Iterable[AuditFinding]) -> tuple[AuditFinding, ...]:
    """Each thing said once: an image or a merged key that several services use is one fault."""
    kept: dict[tuple[str, str, int, str], AuditFinding] = {}
    for one in found:
        kept.setdefault((one.rule, one.file, one.line, one.before), one)
    return tuple(kept.values())


def _order(one: AuditFinding) -> tuple[int, str, int, str]:
    return SEVERITIES.index(one.severity), one.file, one.line, one.rule
