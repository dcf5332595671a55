"""The command line: parse, call, show. Nothing is decided here, and nothing heavy is imported before it is needed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from mlpack import __version__
from mlpack.commands.doctor_options import doctor
from mlpack.commands.estimate_options import estimate
from mlpack.commands.proving import tune, verify
from mlpack.commands.starting import down, up
from mlpack.errors import ExitCode, MlpackError

app = typer.Typer(
    name="mlpack",
    help="Turns host + models + app into a deployment that fits, and proves it.",
    rich_markup_mode=None,  # plain help: half the start-up time of the rich one
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

ProjectDir = Annotated[Path, typer.Option("--project", "-C", help="Folder of the project (or below it).")]
Profiles = Annotated[list[str], typer.Argument(help="dev, prod, gpu, one of mlpack.yaml's own, or a profile file.")]
Json = Annotated[bool, typer.Option("--json", help="Print the value itself as JSON.")]
HostFile = Annotated[Path | None, typer.Option("--host", help="Another machine: its `probe --json`, or m7i.xlarge.")]
Sets = Annotated[list[str] | None, typer.Option("--set", help="Override one key of the spec: services.web.workers=2")]
Python = Annotated[Path | None, typer.Option("--python", help="Python that has the app's packages.")]
HERE = Path()


def show_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        print(f"mlpack {__version__}")  # noqa: T201
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=show_version, is_eager=True, help="Version.")] = False,
) -> None:
    """Options before the command."""


@app.command()
def init(
    project: ProjectDir = HERE,
    name: Annotated[str | None, typer.Option(help="The project's name.")] = None,
    app: Annotated[str | None, typer.Option(help="What is served: main:app, or 'shop.web:create_app()'.")] = None,
    interface: Annotated[str | None, typer.Option(help="What the app is: wsgi or asgi.")] = None,
    server: Annotated[str | None, typer.Option(help="gunicorn or uvicorn.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="How inference is written: def or async.")] = None,
    port: Annotated[str | None, typer.Option(help="The port it listens on.")] = None,
    health: Annotated[str | None, typer.Option(help="Path that answers 200 when every model is loaded.")] = None,
    model: Annotated[str | None, typer.Option(help="Model files, with commas; hub:owner/name; or none.")] = None,
    runtime: Annotated[str | None, typer.Option(help="The library that runs the models: torch, ...")] = None,
    requirements: Annotated[str | None, typer.Option(help="The requirements file, or environment.yml.")] = None,
    python: Annotated[str | None, typer.Option(help="The Python version: 3.11.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing mlpack.yaml.")] = False,
) -> None:
    """Write mlpack.yaml for a project with one service, from what its files show.

    Nothing is imported or run. What cannot be found is asked for by naming the option to give.
    """
    from mlpack.commands.init import init_command

    told = {"name": name, "app": app, "interface": interface, "server": server, "endpoint": endpoint, "port": port}
    told |= {"health": health, "model": model, "runtime": runtime, "requirements": requirements, "python": python}
    stop(init_command(project, {key: value for key, value in told.items() if value is not None}, force=force))


@app.command()
def probe(
    project: ProjectDir = HERE,
    against: Annotated[Path | None, typer.Option(help="An mlpack.lock: 0 same machine, 1 differs.")] = None,
    as_json: Json = False,
) -> None:
    """Read this machine: memory, cores, limits, cards, container engine."""
    from mlpack.commands.probe import against_command, probe_command

    if against is not None:
        stop(against_command(project, against, as_json=as_json))
    stop(probe_command(project, as_json=as_json))


app.command()(estimate)


@app.command()
def plan(
    profiles: Profiles,
    project: ProjectDir = HERE,
    explain: Annotated[
        bool, typer.Option("--explain", help="Source and reason of every decision, or of NAME: services.web.workers.")
    ] = False,
    host: HostFile = None,
    ram: Annotated[str | None, typer.Option(help="Another machine's memory as it is sold: 16G.")] = None,
    cores: Annotated[str | None, typer.Option(help="Another machine's cores: 4.")] = None,
    gpu: Annotated[str | None, typer.Option(help="Another machine's cards: a10g, 2xl4.")] = None,
    sweep: Annotated[str | None, typer.Option(help="What if: workers=1..8, ram=4G..64G, cores=1,2,4.")] = None,
    chart: Annotated[Path | None, typer.Option(help="With --sweep: write the chart as an SVG file.")] = None,
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """Decide workers, threads, limits and timeouts for a machine; writes nothing but --chart."""
    from mlpack.commands.host import Machine

    if ram is not None and ".." in ram and sweep is None:
        ram, sweep = None, f"ram={ram}"
    machine, settings = Machine(host, ram, cores, gpu), tuple(sets or ())
    if sweep is not None:
        from mlpack.commands.sweep import sweep_command

        stop(sweep_command(project, tuple(profiles), settings, machine, what=sweep, chart=chart, as_json=as_json))
    from mlpack.commands.plan import plan_command

    stop(plan_command(project, tuple(profiles), settings, machine, explain=explain, as_json=as_json))


@app.command()
def render(
    profiles: Profiles,
    project: ProjectDir = HERE,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; 0 current, 1 stale, 2 no usable lock.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing; show what would change.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; name the files.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that were edited by hand.")] = False,
    reprobe: Annotated[bool, typer.Option("--reprobe", help="Plan for this machine, not the lock's.")] = False,
    host: HostFile = None,
) -> None:
    """Write Dockerfile, compose file, server settings and guide into deploy/."""
    from mlpack.commands.render import check_command, render_command

    if check:
        stop(check_command(project, tuple(profiles), show_diff=diff))
    stop(
        render_command(
            project, tuple(profiles), host, reprobe=reprobe, force=force, write=not (diff or dry_run), show_diff=diff
        )
    )


for command in (up, down, verify, tune, doctor):
    app.command()(command)


@app.command()
def audit(
    files: Annotated[list[Path], typer.Argument(help="Compose file, Dockerfiles, units, nginx configurations.")],
    host: HostFile = None,
    sarif: Annotated[Path | None, typer.Option(help="Write the findings as SARIF 2.1.0.")] = None,
    override: Annotated[bool, typer.Option("--override", help="Write compose.override.yaml beside the file.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Propose a mlpack.yaml for it.")] = False,
    fail_on: Annotated[str, typer.Option(help="error, warning, note or never: from where on to exit 1.")] = "warning",
    annotate: Annotated[str, typer.Option(help="auto, github, gitlab or never: findings for the CI's pages.")] = "auto",
    as_json: Json = False,
) -> None:
    """Say what is wrong with a deployment that mlpack did not write: before, after, and why."""
    from mlpack.commands.audit import audit_command

    told = {"override": override, "write": write, "as_json": as_json}
    stop(audit_command(files, host, sarif_file=sarif, fail_on=fail_on, annotate_for=annotate, **told))


@app.command()
def schema(
    name: Annotated[str, typer.Argument(help="spec, profile, plan, host, report, audit, doctor, lock, ...")] = "spec",
) -> None:
    """Print the JSON schema of mlpack.yaml, so that editors complete it, or of one of mlpack's own files."""
    from mlpack.commands.schema import schema_command

    stop(schema_command(name))


def stop(code: int) -> NoReturn:
    """Leave with ``code``."""
    raise typer.Exit(code)


def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM ends mlpack as Ctrl-C does, so that what it started is taken down."""
    raise KeyboardInterrupt


def main() -> NoReturn:
    """The ``mlpack`` command. Errors become one message and an exit code here, and nowhere else."""
    signal.signal(signal.SIGTERM, interrupt)
    try:
        app()
    except SystemExit as ended:  # typer's own: done, --help, a usage error, Ctrl-C
        if ended.code == ExitCode.INTERRUPTED:
            print("mlpack: interrupted", file=sys.stderr)  # noqa: T201
        raise
    except MlpackError as error:
        from mlpack.console import show_error

        show_error(error)
        if os.environ.get("GITHUB_ACTIONS"):
            from mlpack.commands.annotate import annotate_error

            annotate_error(error, sys.argv)
        sys.exit(error.exit_code)
    except Exception as error:
        from mlpack.console import show_bug

        show_bug(error)
        sys.exit(ExitCode.BUG)
    raise AssertionError("typer always exits")
