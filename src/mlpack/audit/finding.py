"""AuditFinding: one fault of an existing deployment, with what to write instead; and Rule, which finds it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mlpack.audit.deployment import Deployment
from mlpack.audit.place import Place
from mlpack.noun import Noun

_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s:@]+@")
"""A report is shown to others: passwords in URLs are left out."""
Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""From worst to least: broken or surely killed; costs memory, time, answers or secrets; worth knowing."""


class AuditFinding(Noun):
    """What a rule found. ``before`` is what is written, ``after`` what to write; ``source`` is where the reason was
    read."""

    rule: str
    severity: Severity
    file: str
    line: int
    service: str | None
    before: str
    after: str
    because: str
    source: str


class AuditReport(Noun):
    """What ``audit --json`` prints: the findings, the worst first, and what could not be read."""

    schema_version: Literal[1] = 1
    findings: tuple[AuditFinding, ...]
    unread: tuple[str, ...] = ()
    """A line each, with the reason: an audit that is silent about a thing may not have seen it."""


@dataclass(frozen=True)
class Hit:
    """One place where a rule applies. ``change`` is what mends it in an override of the service, where that can."""

    place: Place
    service: str | None
    before: str
    after: str
    because: str
    severity: Severity | None = None
    """None: the rule's own."""
    change: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """One question to a deployment. ``id`` is stable: filters and SARIF rest on it."""

    id: str
    severity: Severity
    summary: str
    source: str
    check: Callable[[Deployment], Iterable[Hit]]


def finding(rule: Rule, hit: Hit) -> AuditFinding:
    """The finding that ``hit`` of ``rule`` is."""
    return AuditFinding(
        rule=rule.id,
        severity=hit.severity or rule.severity,
        file=hit.place.file,
        line=hit.place.line,
        service=hit.service,
        before=_PASSWORD.sub(r"\1...@", hit.before),
        after=hit.after,
        because=hit.because,
        source=rule.source,
    )
