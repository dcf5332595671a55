"""``mlpack plan``: what mlpack would decide for a machine, with every reason; writes nothing."""

from __future__ import annotations

from pathlib import Path

from mlpack.commands.host import Machine, chosen_host
from mlpack.commands.models import known_models
from mlpack.console import heading, say, table
from mlpack.errors import ExitCode
from mlpack.flow import gather, make
from mlpack.plan import Plan
from mlpack.planner import explain as explained
from mlpack.planner import table as tables
from mlpack.probe import probe
from mlpack.report import Finding


def plan_command(
    project: Path,
    profiles: tuple[str, ...],
    sets: tuple[str, ...],
    machine: Machine,
    *,
    explain: bool,
    only: str | None,
    as_json: bool,
) -> int:
    """Plan for this machine (or the one asked for) and show it; ``explain`` adds every decision's source and reason."""
    gathered = gather(project, profiles, sets)
    host = chosen_host(machine, lambda: probe(gathered.root))
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
