"""Findings on the lines of files, as CI systems show them: GitHub's workflow commands, GitLab's code quality report.

Sources: GitHub, "Workflow commands for GitHub Actions" (`::error file=,line=,title=::`, escapes of toolkit's
command.ts); GitLab, "Code Quality", report format.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import yaml

from mlpack.report import VerifyReport
from mlpack.reports.plain import plain_text

Level = Literal["error", "warning", "note"]
GITHUB = {"error": "error", "warning": "warning", "note": "notice"}
GITLAB = {"error": "critical", "warning": "major", "note": "info"}


@dataclass(frozen=True)
class Annotation:
    """One finding; ``file`` relative to the repository, ``line`` from 1; ``rule`` is stable."""

    rule: str
    level: Level
    message: str
    file: str
    line: int = 1


def github(found: Iterable[Annotation]) -> tuple[str, ...]:
    """Lines that the runner takes out of a step's output."""
    return tuple(
        f"::{GITHUB[one.level]} file={_property(one.file)},line={max(1, one.line)},"
        f"title={_property(f'mlpack {one.rule}')}::{_data(one.message)}"
        for one in found
    )


def gitlab(found: Iterable[Annotation]) -> str:
    """The artifact `reports: codequality`. A fingerprint stays while rule, file and message do: lines may move."""
    rows = [
        {
            "description": plain_text(one.message),
            "check_name": f"mlpack-{one.rule}",
            "fingerprint": hashlib.sha256(
                "\0".join((one.rule, one.file, one.message)).encode("utf-8", "replace")
            ).hexdigest(),
            "severity": GITLAB[one.level],
            "location": {"path": one.file.removeprefix("./"), "lines": {"begin": max(1, one.line)}},
        }
        for one in found
    ]
    return json.dumps(rows, indent=2) + "\n"


def of_report(report: VerifyReport, text: str, file: str) -> tuple[Annotation, ...]:
    """Failed and unproven checks on the lines of mlpack.yaml, whose ``text`` is called ``file``: on what would mend
    them where a patch says so, else on the first line."""
    found = []
    for check in report.checks:
        if check.status not in ("failed", "not_proven"):
            continue
        line = next((at for patch in check.patches if (at := line_of(text, patch.path)) > 1), 1)
        hint = f"\nWhat to do: {check.hint}" if check.hint else ""
        level: Level = "error" if check.status == "failed" else "note"
        found.append(Annotation(check.name, level, f"{check.summary}{hint}", file, line))
    return tuple(found)


def line_of(text: str, path: str) -> int:
    """The line of ``path`` (``services.web.timeout``) in YAML ``text``, or of the nearest key above it; 1 if none."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return 1
    line, rest = 1, path
    while isinstance(node, yaml.MappingNode) and rest:
        here = [(key, value) for key, value in node.value if rest == key.value or rest.startswith(f"{key.value}.")]
        if not here:
            break
        key, node = max(here, key=lambda pair: len(pair[0].value))
        line, rest = key.start_mark.line + 1, rest[len(key.value) + 1 :]
    return line


def _data(message: str) -> str:
    text = plain_text(message)
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
