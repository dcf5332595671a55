"""Requests per second of real services at every way to run them under one limit, beside what mlpack plans.

    python -m bench.throughput.bench [--only NAME ...] [--quick] [--fresh] [--for SECONDS] [--work FOLDER]

Each service is measured and planned by this tree's mlpack for a machine of 2 cores, then run as real processes in
control groups: first every point of the grid once (screen), then mlpack's choice as rendered, the grid's best of each
number of workers and what a user would take instead, all alive at once, in interleaved rounds (final); those that come
near the best go on for more rounds. Every finished point is kept in FOLDER, and a second run goes on where one ended;
--fresh measures again. Needs Linux, root (or a systemd that gives
scopes), a package index at the first run, and 8 GB of memory. A full run writes
result.json beside this file and the tables of docs/throughput.md.
Exit 1 where mlpack's choice is below GOAL of the best point, 75 where --for ended it before the end.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import signal
import sys
from pathlib import Path
from typing import Any

from bench.throughput import client
from bench.throughput.kept import Clock, Kept, OutOfTime
from bench.throughput.points import Point, grid, peers
from bench.throughput.project import CASES, HERE, REPOSITORY, Ready, ready
from bench.throughput.report import GOAL, rows, show, with_tables
from bench.throughput.timed import CHOICE, EXTRA_ROUNDS, MORE_ROUNDS, ROUNDS, WINDOW_S, final, screen

SCREEN_S, FINAL_S = 20.0, 150.0
"""What one point alone and one final take in practice: what --for must still have."""
UNTIMED = frozenset({"bench.py", "kept.py", "report.py", "timed.py"})
"""What changes no measured number by itself; a changed window or number of rounds wants --fresh."""


def screen_all(prepared: list[Ready], kept: dict[str, Kept], *, quick: bool, clock: Clock) -> None:
    """Every point of every grid once, all services mixed: a machine that slows down slows none in particular."""
    todo = [(made, point) for made in prepared for point in points_of(made, quick)]
    random.Random(1).shuffle(todo)
    for i, (made, point) in enumerate(todo):
        store, name = kept[made.case.name], f"screen {point.name}"
        if name not in store.points:
            clock.need(SCREEN_S)
            found = store.get(name, lambda made=made, point=point: screen(made, point))  # type: ignore[misc]
            said = f"{found['rps']:8.1f}/s {found.get('failed', '')}"
            print(f"{i + 1}/{len(todo)} {made.case.name}: {point.name:20} {said}", flush=True)


def points_of(made: Ready, quick: bool) -> list[Point]:
    """The grid of a case."""
    return grid(policies=made.policies, preloads=made.preloads, quick=quick)


def compare(made: Ready, kept: Kept, *, quick: bool, clock: Clock) -> dict[str, Any]:
    """The finalists of one screened case against each other; its result."""
    points = points_of(made, quick)
    others = peers(len(os.sched_getaffinity(0)), preloads=made.service.server == "gunicorn")
    screened = {point.name: kept.points[f"screen {point.name}"] for point in points}
    best = [
        max((point for point in points if point.workers == workers), key=lambda point: screened[point.name]["rps"])
        for workers in sorted({point.workers for point in points})
    ]
    finalists: dict[str, Point | None] = {CHOICE: None, **{point.name: point for point in best}, **others}
    about = f"{list(finalists.items())} {made.plan.to_json()}"
    name = f"final {hashlib.sha256(about.encode()).hexdigest()}"
    if name not in kept.points:
        clock.need(FINAL_S)
        print(f"{made.case.name}: final of {len(finalists)} ...", flush=True)
    measured = kept.get(name, lambda: final(made, finalists, (2, 0) if quick else (ROUNDS, MORE_ROUNDS)))
    return {
        "case": made.case.name,
        "server": made.service.server,
        "runtimes": list(made.service.runtimes),
        "cores": made.case.cores,
        "limit_bytes": made.limit(planned=False).memory_bytes,
        "choice": made.choice.name,
        "choice_limit_bytes": made.limit(planned=True).memory_bytes,
        "openmp_policy_read": made.policies,
        "preload": made.service.preload.because,
        "grid": [{"point": point.name, **screened[point.name]} for point in points],
        "rows": rows(measured, {name: point.name for name, point in finalists.items() if point}, CHOICE),
        "versions": made.versions,
    }


def _key(made: Ready, quick: bool) -> str:
    code = b"".join(file.read_bytes() for file in sorted(HERE.glob("*.py")) if file.name not in UNTIMED)
    app = b"".join(file.read_bytes() for file in (made.folder / "app.py", made.folder / made.case.sample))
    about = [json.dumps(made.versions), str(made.limit(planned=False)), str(quick)]
    return hashlib.sha256(code + app + "".join(about).encode()).hexdigest()


def main() -> int:
    """Run, print, write; 0 where every choice reaches the goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=[case.name for case in CASES])
    parser.add_argument("--quick", action="store_true", help="a small grid and two rounds: whether everything runs")
    parser.add_argument("--fresh", action="store_true", help="measure again what is kept")
    parser.add_argument(
        "--prepare", action="store_true", help="install, fetch and measure what is missing; time nothing"
    )
    parser.add_argument("--for", type=float, dest="most_s", help="stop after so many seconds; the next run goes on")
    parser.add_argument("--work", type=Path, default=HERE / "work")
    told = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what runs is ended and the groups go
    work = told.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    cases = [case for case in CASES if not told.only or case.name in told.only]
    prepared = [ready(case, work, case.name) for case in cases]  # all installing before anything is timed
    if told.prepare:
        return 0
    clock, results = Clock(told.most_s), []
    kept = {
        made.case.name: Kept(work / f"{made.folder.name}.json", _key(made, told.quick), fresh=told.fresh)
        for made in prepared
    }
    try:
        screen_all(prepared, kept, quick=told.quick, clock=clock)
        for made in prepared:
            results.append(compare(made, kept[made.case.name], quick=told.quick, clock=clock))
            show(results[-1])
    except OutOfTime:
        print("the time is used up; the same command goes on")
        return 75
    reached = [one for one in results if one["rows"][0]["of_best"] >= GOAL]
    print(f"mlpack's choice reaches {GOAL:g} of the best in {len(reached)} of {len(results)}")
    if not told.quick and len(results) == len(CASES):
        document = {
            "schema_version": 1,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "visible_cores": len(os.sched_getaffinity(0)),
            "at_once": client.AT_ONCE,
            "rounds": [ROUNDS, MORE_ROUNDS, EXTRA_ROUNDS],
            "window_s": WINDOW_S,
            "worst_of_best": min(one["rows"][0]["of_best"] for one in results),
            "results": results,
        }
        (HERE / "result.json").write_text(json.dumps(document, indent=1) + "\n")
        page = REPOSITORY / "docs" / "throughput.md"
        page.write_text(with_tables(page.read_text(), results))
    return int(len(reached) < len(results))


if __name__ == "__main__":
    sys.exit(main())
