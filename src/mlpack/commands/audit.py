"""``mlpack audit``: shows what is wrong with files that mlpack did not write, and writes what mends it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from mlpack import __version__
from mlpack.audit import RULES, SEVERITIES, AuditFinding, AuditReport, audit, once, override_text, read_deployment
from mlpack.audit.deployment import Deployment
from mlpack.audit.override import HEADER
from mlpack.commands.annotate import annotate, in_repository, require_ci
from mlpack.commands.host import read_host
from mlpack.console import heading, say, table
from mlpack.errors import ExitCode, MlpackError, UsageError
from mlpack.init import detect, write_spec
from mlpack.reports.annotations import Annotation
from mlpack.reports.sarif import SarifResult, SarifRule, sarif
from mlpack.units import counted
from mlpack.write.single import replace_file

NEVER = "never"
OVERRIDE = "compose.override.yaml"


def audit_command(
    paths: Sequence[Path],
    host: Path | None,
    *,
    sarif_file: Path | None = None,
    override: bool = False,
    write: bool = False,
    fail_on: str = "warning",
    annotate_for: str = "never",
    as_json: bool = False,
) -> int:
    """Audit, show, write; FAILED where something of severity ``fail_on`` or worse was found. Raises MlpackError."""
    if fail_on not in (*SEVERITIES, NEVER):
        raise UsageError(f"no severity {fail_on!r}", where="--fail-on", hint=f"one of {', '.join(SEVERITIES)}, {NEVER}")
    ci = require_ci(annotate_for)
    facts = read_host(host) if host is not None else None
    deployment = read_deployment(paths, facts, str(host) if host is not None else "")
    pairs = audit(deployment)
    found = once(one for one, _ in pairs)
    written = [_override(paths, override_text(pairs))] if override else []
    if write:
        written.append(_spec(deployment))
    if sarif_file is not None:
        replace_file(sarif_file, _sarif(found))
        written.append(f"wrote {sarif_file}")
    if as_json:
        say(AuditReport(findings=found, unread=tuple(deployment.unread)).to_json().rstrip())
    else:
        _show(found, deployment)
        for line in written:
            say(line)
    annotate(
        ci, [Annotation(one.rule, one.severity, _words(one), in_repository(Path(one.file)), one.line) for one in found]
    )
    worst = min((SEVERITIES.index(one.severity) for one in found), default=len(SEVERITIES))
    bad = fail_on != NEVER and worst <= SEVERITIES.index(fail_on)
    return ExitCode.FAILED if bad else ExitCode.OK


def _show(found: Sequence[AuditFinding], deployment: Deployment) -> None:
    for severity in SEVERITIES:
        some = [one for one in found if one.severity == severity]
        if some:
            heading(f"{counted(len(some), severity)}")
            rows = [
                (
                    f"{one.file}:{one.line}",
                    one.service or "",
                    f"{one.before}\n-> {one.after}",
                    f"{one.because}\n[{one.rule}; {one.source}]",
                )
                for one in some
            ]
            table(("where", "service", "before -> after", "because"), rows)
            say("")
    for line in deployment.unread:
        say(f"not read: {line}")
    if deployment.host is None:
        say("no --host: limits were not held against a machine")
    services = counted(len(deployment.services), "service")
    say(f"{services}, {counted(len(deployment.dockerfiles), 'Dockerfile')}: {counted(len(found), 'finding')}")


def _sarif(found: Sequence[AuditFinding]) -> str:
    rules = [SarifRule(rule.id, rule.severity, rule.summary, f"Source: {rule.source}") for rule in RULES]
    results = [SarifResult(one.rule, one.severity, _words(one), one.file, one.line) for one in found]
    return sarif(rules, results, __version__)


def _words(one: AuditFinding) -> str:
    return f"{one.before} -> {one.after}: {one.because}"


def _compose_file(paths: Sequence[Path], option: str) -> Path:
    found = [path for path in paths if path.suffix in (".yml", ".yaml")]
    if not found:
        raise UsageError("no compose file among the files", where=option, hint="name it first")
    return found[0]


def _override(paths: Sequence[Path], text: str | None) -> str:
    path = _compose_file(paths, "--override").parent / OVERRIDE
    if text is None:
        return "nothing that an override could mend"
    if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(HEADER):
        raise MlpackError("is there already, and is not mlpack's", where=str(path), hint="merge by hand: audit --json")
    replace_file(path, text)
    return f"wrote {path}: look at it, then `docker compose config`"


def _spec(deployment: Deployment) -> str:
    """A mlpack.yaml for the one service that runs a web app; init finds the rest in its folder."""
    apps = [one for one in deployment.services if one.program.kind in ("gunicorn", "uvicorn") and one.folder]
    if len(apps) != 1:
        names = ", ".join(one.name for one in apps) or "none"
        hint = "run `mlpack init` in the app's folder, then add the other services by hand"
        raise UsageError(f"init writes one web service, and here are: {names}", where="--write", hint=hint)
    one = apps[0]
    answers = {"server": one.program.kind}
    if one.program.app:
        answers["app"] = one.program.app
    base = one.dockerfile.base.text if one.dockerfile and one.dockerfile.base else ""
    version = base.rsplit("/", 1)[-1].removeprefix("python:").split("-")[0] if "python:" in base else ""
    if version.count("."):
        answers["python"] = ".".join(version.split(".")[:2])
    port = next(
        (one.program.options[name].text.rpartition(":")[2] for name in ("bind", "port") if name in one.program.options),
        "",
    )
    if port.isdigit():
        answers["port"] = port
    assert one.folder is not None
    root = Path(one.folder)
    try:
        path = write_spec(root, detect(root, answers))
    except UsageError as error:  # init's own flags are asked for
        told = " ".join(f"--{name} {shlex.quote(value)}" for name, value in answers.items())
        hint = f"mlpack init --project {shlex.quote(str(root))} {told}, and what is asked for here; {error.hint}"
        raise UsageError(error.what, where=error.where, hint=hint) from error
    return f"wrote {path}: next `mlpack plan prod --explain`"
