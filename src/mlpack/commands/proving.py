"""The options of ``mlpack verify`` and ``mlpack tune``: commands that run what was rendered. Parsed here, for cli."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ProjectDir = Annotated[Path, typer.Option("--project", "-C", help="Folder of the project (or below it).")]
Profiles = Annotated[list[str], typer.Argument(help="dev, prod, gpu, one of mlpack.yaml's own, or a profile file.")]
Python = Annotated[Path | None, typer.Option("--python", help="Python that has the app's packages.")]
HERE = Path()


def verify(
    profiles: Profiles,
    project: ProjectDir = HERE,
    launcher: Annotated[str, typer.Option(help="auto, compose, process, systemd.")] = "auto",
    python: Python = None,
    report: Annotated[
        list[Path] | None, typer.Option(help="Report file: .json, .html, .md or .xml (JUnit); may be repeated.")
    ] = None,
    annotate: Annotated[str, typer.Option(help="auto, github, gitlab or never: findings for the CI's pages.")] = "auto",
    fix: Annotated[bool, typer.Option("--fix", help="Change mlpack.yaml as failed checks propose.")] = False,
    calibrate: Annotated[bool, typer.Option("--calibrate", help="Keep what was measured in footprint.json.")] = False,
    thorough: Annotated[bool, typer.Option("--thorough", help="Try also what is left out as it takes long.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the value itself as JSON.")] = False,
) -> None:
    """Start what was rendered, ask it real questions under its limits, and report."""
    from mlpack.commands.verify import verify_command

    code = verify_command(
        *(project, tuple(profiles), launcher, python, tuple(report or ())),
        as_json=as_json,
        fix=fix,
        calibrate=calibrate,
        thorough=thorough,
        annotate=annotate,
    )
    raise typer.Exit(code)


def tune(
    profiles: Profiles,
    project: ProjectDir = HERE,
    what: Annotated[str, typer.Option(help="limit, workers, batch; with commas for several.")] = "limit,workers",
    service: Annotated[str | None, typer.Option(help="The service to tune, where several run models.")] = None,
    minutes: Annotated[float, typer.Option(help="No trial starts after so many minutes.")] = 30.0,
    launcher: Annotated[str, typer.Option(help="auto, compose, process.")] = "auto",
    python: Python = None,
    fix: Annotated[bool, typer.Option("--fix", help="Change mlpack.yaml as it proposes.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Forget the trials of earlier runs.")] = False,
) -> None:
    """Search by real runs for the smallest safe limit, the best workers x threads, the largest batch."""
    from mlpack.commands.tune import tune_command
    from mlpack.tune.wanted import Wanted

    wanted = Wanted(tuple(what.split(",")), service, 60 * minutes, again=again)
    raise typer.Exit(tune_command(project, tuple(profiles), wanted, launcher, python, fix=fix))
