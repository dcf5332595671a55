"""The options of ``mlpack doctor``. Parsed here, for cli."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HERE = Path()


def doctor(
    name: Annotated[
        str | None, typer.Argument(help="A container, or a unit (NAME.service); none: the project's.")
    ] = None,
    project: Annotated[Path, typer.Option("--project", "-C", help="Folder of the project (or below it).")] = HERE,
    as_json: Annotated[bool, typer.Option("--json", help="Print facts and findings as JSON.")] = False,
) -> None:
    """Say what is wrong with a deployment that runs, or why it died: cause, evidence, and what to change."""
    from mlpack.commands.doctor import doctor_command

    raise typer.Exit(doctor_command(name, project, as_json=as_json))
