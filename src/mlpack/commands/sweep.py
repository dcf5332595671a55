"""``mlpack plan --sweep``: the same system with one number changed, as a table, bars and an SVG."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from mlpack.commands.host import Machine, chosen_host
from mlpack.commands.models import known_models
from mlpack.commands.sweep_chart import svg
from mlpack.console import heading, progress, say, table
from mlpack.errors import ExitCode, UsageError
from mlpack.flow import gather, prepare
from mlpack.planner.machines import fitting_machines
from mlpack.planner.sweep import Point, SweptService, enough, focus, sweep
from mlpack.planner.sweep_asked import Sweep, parse_sweep
from mlpack.probe import probe
from mlpack.units import show_mib
from mlpack.write.single import replace_file

BAR = 24


def sweep_command(
    project: Path,
    profiles: tuple[str, ...],
    sets: tuple[str, ...],
    machine: Machine,
    *,
    what: str,
    chart: Path | None,
    as_json: bool,
) -> int:
    """Plan once per value and show what changes; 1 where no value fits. ``chart`` is an SVG file to write."""
    if chart is not None and chart.suffix.lower() != ".svg":
        raise UsageError(f"{chart} is no .svg file", where="--chart", hint="write --chart sweep.svg")
    gathered = gather(project, profiles, sets)
    asked = parse_sweep(what, gathered.spec)
    prepared = prepare(gathered, known_models(gathered))
    host = chosen_host(_base(machine, asked), lambda: probe(gathered.root))
    points = sweep(asked, host, gathered.spec, prepared.footprints, prepared.plan)
    name = focus(points, asked)
    if chart is not None:
        title = f"{gathered.spec.name} for {' '.join(profiles)}: {asked.name}"
        replace_file(chart, svg(points, name, title=title))
        progress(f"wrote {chart}")
    if as_json:
        say(json.dumps([point.model_dump(mode="json") for point in points], indent=2))
    else:
        _show(points, asked, name, profiles)
    return ExitCode.OK if any(point.fits for point in points) else ExitCode.FAILED


def _base(machine: Machine, asked: Sweep) -> Machine:
    """The machine on which the swept number is changed: ``--cores 4 --sweep ram=4G..64G`` needs no ``--ram``."""
    first = str(asked.values[0])
    if asked.number == "ram" and machine.ram is None and machine.cores is not None:
        return replace(machine, ram=first)
    if asked.number == "cores" and machine.cores is None and machine.ram is not None:
        return replace(machine, cores=first)
    return machine


def _show(points: tuple[Point, ...], asked: Sweep, name: str | None, profiles: tuple[str, ...]) -> None:
    heading(f"{asked.name} for {' '.join(profiles)}")
    most = max((max(point.memory_bytes or 0, point.usable_bytes or 0) for point in points), default=0)
    columns = (asked.name, "fits", "memory", "usable", "", "workers x threads", "requests/s at most")
    rows = [_row(point, name, most) for point in points]
    table(columns, rows, ("right", "left", "right", "right", "left", "left", "right"))
    said: set[str] = set()
    for point in points:
        kind = (point.refused or "").partition(":")[0]
        if point.refused and kind not in said:  # the others differ in their numbers, which the table shows
            said.add(kind)
            say(f"{point.shown}: {point.refused}")
    say(answer(points, asked, name))


def _row(point: Point, name: str | None, most: int) -> tuple[str, ...]:
    service = point.services.get(name or "")
    fits = "no" if not point.fits else "yes" if point.surely else "may not"
    at_least = "" if point.fits else ">= "
    return (
        point.shown,
        fits,
        "-" if point.memory_bytes is None else at_least + show_mib(point.memory_bytes),
        "-" if point.usable_bytes is None else show_mib(point.usable_bytes),
        bar(point, most),
        "-" if service is None else f"{service.workers} x {service.threads}",
        "-" if service is None else f"{service.requests_per_s:.3g}{_mark(service)}",
    )


def _mark(service: SweptService) -> str:
    return "" if service.source == "measured" else " (estimated)"


def bar(point: Point, most: int) -> str:
    """Memory as a bar, with ``|`` where the usable memory ends."""
    if not most:
        return ""
    long = round(BAR * (point.memory_bytes or 0) / most)
    cells = ["█" if index < long else " " for index in range(BAR + 1)]
    if point.usable_bytes is not None:
        cells[min(BAR, round(BAR * point.usable_bytes / most))] = "|"
    return "".join(cells).rstrip()


def _runs(points: tuple[Point, ...]) -> list[str]:
    """The refused values, neighbours as one: ``4 to 10``."""
    groups = [list(run) for refused, run in groupby(points, key=lambda point: not point.fits) if refused]
    return [run[0].shown if len(run) == 1 else f"{run[0].shown} to {run[-1].shown}" for run in groups]


def answer(points: tuple[Point, ...], asked: Sweep, name: str | None) -> str:
    """What the sweep says: from where it fits, and from where more wins nothing."""
    fitting = [point for point in points if point.fits]
    if not fitting:
        return "none of these fits"
    best = enough(points, name)
    words = "; ".join(f"does not fit at {run}" for run in _runs(points)) or "all fit"
    words += "; "
    if best is not None:
        what = f"within 5 % of the best throughput of {name}" if name else "fits"
        words += f"the smallest {asked.number} {what}: {best.shown}"
    if asked.number == "ram" and best is not None:
        cores = max((s.workers * s.threads * s.replicas for s in best.services.values()), default=1)
        names = fitting_machines(best.value, cores)
        words += f" ({cores} cores in use{f'; like {chr(32).join(names)}' if names else ''})"
    return words
