"""``mlpack plan``: what mlpack would decide for a machine, with every reason; writes nothing."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from mlpack.commands.models import known_models
from mlpack.console import heading, say, table
from mlpack.errors import ExitCode, UsageError
from mlpack.flow import gather, make
from mlpack.host import HostFacts
from mlpack.plan import Plan
from mlpack.planner import explain as explained
from mlpack.planner import table as tables
from mlpack.probe import probe
from mlpack.project import read_text
from mlpack.report import Finding


def plan_command(
    project: Path,
    profiles: tuple[str, ...],
    sets: tuple[str, ...],
    host_file: Path | None,
    *,
    explain: bool,
    only: str | None,
    as_json: bool,
) -> int:
    """Plan for this machine (or ``host_file``'s) and show it; ``explain`` adds every decision's source and reason."""
    gathered = gather(project, profiles, sets)
    host = read_host(host_file) if host_file else probe(gathered.root)
    plan, _ = make(gathered, host, known_models(gathered))
    if as_json:
        say(plan.to_json().rstrip())
        return ExitCode.OK
    if explain or only:
        decisions = explained(plan, only)
        table(("decision", "value", "source", "because"), [tuple(row) for row in decisions])
        if only:
            return ExitCode.OK
        say("")
    show_plan(plan)
    return ExitCode.OK


def show_plan(plan: Plan) -> None:
    """The plan's tables: services, each model service's memory sum, the host's budget, and what to know."""
    heading(f"Plan of {plan.name} for {' '.join(plan.profiles)}")
    services = tables.services(plan)
    table(services[0], services[1:])
    for name, service in plan.services.items():
        if service.runtimes:
            say("")
            heading(f"Memory of one replica of {name}")
            sums = tables.memory(plan, name)
            table(sums[0], sums[1:], ("left", "right", "right", "right"))
    say("")
    heading("Budget of the host")
    budget = tables.budget(plan)
    table(budget[0], budget[1:], ("left", "right", "right", "right"))
    show_findings(plan.findings)


def show_findings(findings: tuple[Finding, ...]) -> None:
    """What the user should know, one a line, with the hint below."""
    for finding in findings:
        where = f" {finding.where}:" if finding.where else ""
        say(f"\n{finding.severity} ({finding.code}):{where} {finding.message}")
        if finding.hint:
            say(f"  hint: {finding.hint}")


def read_host(path: Path) -> HostFacts:
    """Another machine's ``mlpack probe --json``. Raises UsageError where the file is something else."""
    try:
        return HostFacts.model_validate_json(read_text(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"is not a host file: {place}: {first['msg']}",
            where=str(path),
            hint="make one on that machine: mlpack probe --json > host.json",
        ) from error
