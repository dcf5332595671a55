"""The options of ``mlpack estimate``. Parsed here, for cli."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HERE = Path()
LARGEST = "Of PATH: the largest request's"


def estimate(
    paths: Annotated[list[Path] | None, typer.Argument(help="Model files or folders; none: the project's.")] = None,
    project: Annotated[Path, typer.Option("--project", "-C", help="Folder of the project (or below it).")] = HERE,
    tokens: Annotated[int | None, typer.Option(min=1, help=f"{LARGEST} tokens.")] = None,
    shape: Annotated[str | None, typer.Option(help=f"{LARGEST} item, without the batch: 3,224,224.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help=f"{LARGEST} items; 1.")] = None,
    dtype: Annotated[str | None, typer.Option(help="Of PATH: what the app loads it in: fp32, bf16, ...")] = None,
    runtime: Annotated[str | None, typer.Option(help="Of PATH: the library that runs it: torch, ...")] = None,
    measure: Annotated[bool, typer.Option(help="Run the app once and measure; writes footprint.json.")] = False,
    service: Annotated[str | None, typer.Option(help="Measure this service only.")] = None,
    profile: Annotated[list[str] | None, typer.Option(help="Profile whose threads and concurrency to use.")] = None,
    python: Annotated[Path | None, typer.Option("--python", help="Python that has the app's packages.")] = None,
    in_container: Annotated[bool, typer.Option("--in-container", help="Measure inside the built image.")] = False,
    sets: Annotated[list[str] | None, typer.Option("--set", help="Override one key: services.web.workers=2")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the value itself as JSON.")] = False,
) -> None:
    """Say what a model or a worker needs, from headers alone or measured."""
    from mlpack.commands.estimate import asked_of, paths_command, require_effect

    measured = {"--service": service, "--profile": profile, "--python": python, "--in-container": in_container}
    of_path = {"--tokens": tokens, "--shape": shape, "--batch": batch, "--dtype": dtype, "--runtime": runtime}
    require_effect(paths=bool(paths), measure=measure, sets=bool(sets), only_measured=measured, only_of_paths=of_path)
    if paths:
        asked = asked_of(tokens=tokens, shape=shape, batch=batch, dtype=dtype, runtime=runtime)
        raise typer.Exit(paths_command(tuple(paths), asked, as_json=as_json))
    if measure:
        from mlpack.commands.measure import measure_command

        done = measure_command(
            *(project, tuple(profile or ("prod",)), tuple(sets or ())),
            service=service,
            python=python,
            in_container=in_container,
            as_json=as_json,
        )
        raise typer.Exit(done)
    from mlpack.commands.estimate_project import estimate_command

    raise typer.Exit(estimate_command(project, tuple(sets or ()), as_json=as_json))
