"""The words of ``mlpack up`` and ``mlpack down`` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Profiles = Annotated[list[str] | None, typer.Argument(help="Profiles; none: the only ones rendered here.")]
ProjectDir = Annotated[Path, typer.Option("--project", "-C", help="Folder of the project (or below it).")]
HERE = Path()


def up(profiles: Profiles = None, project: ProjectDir = HERE) -> None:
    """Start what was rendered, containers and units, and wait until it is ready; may be repeated."""
    from mlpack.commands.up import up_command

    raise typer.Exit(up_command(project, tuple(profiles or ())))


def down(profiles: Profiles = None, project: ProjectDir = HERE) -> None:
    """Stop and remove the containers and units of what was rendered; volumes, data and secrets stay."""
    from mlpack.commands.down import down_command

    raise typer.Exit(down_command(project, tuple(profiles or ())))
