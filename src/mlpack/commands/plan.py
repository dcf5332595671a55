"""``mlpack plan``: what mlpack would decide for a machine, with every reason; writes nothing."""

from __future__ import annotations

import json
from pathlib import Path

from mlpack.commands.host import Machine, chosen_host
from mlpack.commands.models import known_models
from mlpack.console import heading, say, table
from mlpack.errors import ExitCode, UsageError
from mlpack.flow import gather, make
from mlpack.plan import Plan
from mlpack.planner import explain as explained
from mlpack.planner import table as tables
from mlpack.probe import probe
from mlpack.report import Finding

DECIDED = ("services", "budget")
"""The parts of a plan that hold decisions: no profile is called so."""


def plan_command(
    project: Path,
    profiles: tuple[str, ...],
    sets: tuple[str, ...],
    machine: Machine,
    *,
    explain: bool,
    as_json: bool,
) -> int:
    """Plan for this machine (or the one asked for) and show it; ``explain`` shows the decisions instead, all or those
    that ``profiles`` names beside the profiles (``plan prod --explain services.web.workers``)."""
    names: tuple[str, ...] = ()
    if explain:
        profiles, names = told_apart(profiles)
    gathered = gather(project, profiles, sets)
    host = chosen_host(machine, lambda: probe(gathered.root))
    plan, _ = make(gathered, host, known_models(gathered))
    if explain:
        rows = [row for name in names or (None,) for row in explained(plan, name)]
        if as_json:
            say(json.dumps([row._asdict() for row in rows], indent=2))
        else:
            table(("decision", "value", "source", "because"), [tuple(row) for row in rows])
    elif as_json:
        say(plan.to_json().rstrip())
    else:
        show_plan(plan)
    return ExitCode.OK


def told_apart(words: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Profiles and names of decisions: a name is a dotted path of the plan, a profile's file ends in .yaml or .yml.

    Raises UsageError where no profile is left.
    """
    names = tuple(word for word in words if _is_name(word))
    profiles = tuple(word for word in words if not _is_name(word))
    if not profiles:
        raise UsageError(f"which profile? only {' and '.join(names)}", hint=f"mlpack plan prod --explain {names[0]}")
    return profiles, names


def _is_name(word: str) -> bool:
    return word.partition(".")[0] in DECIDED and not word.endswith((".yaml", ".yml"))


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
        if on_card := tables.card_need(plan, name):
            say("")
            heading(f"Memory of one worker of {name} on its card")
            table(on_card[0], on_card[1:], ("left", "right", "right", "right"))
    if cards := tables.cards(plan):
        say("")
        heading("Cards")
        table(cards[0], cards[1:], ("left", "left", "left", "right", "right"))
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
