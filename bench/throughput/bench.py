"""Requests per second of real services at every way to run them under one limit, beside what mlpack plans.

    python -m bench.throughput.bench [--only NAME ...] [--quick] [--fresh] [--work FOLDER]

Each service is measured and planned by this tree's mlpack for a machine of 2 cores, then run as real processes in
control groups: first every point of the grid once (screen), then mlpack's choice as rendered, the best of the grid and
what a user would take instead, all alive at once, in interleaved rounds (final). Every finished point is kept in
FOLDER, and a second run goes on where one ended; --fresh measures again. Needs Linux, root (or a systemd that gives
scopes), a package index at the first run, and 8 GB of memory. A full run writes
result.json beside this file and the tables of docs/throughput.md.
Exit 1 where mlpack's choice is below GOAL of the best point.
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
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.throughput import client, server
from bench.throughput.points import Point, grid, peers
from bench.throughput.project import CASES, HERE, REPOSITORY, Ready, ready
from bench.throughput.report import GOAL, rows, show, with_tables

WINDOW_S = 2.0
WARM_S = 1.0
ANSWERS_PER_WORKER = 6
"""Before a point counts: a worker's first requests compile, allocate and fill caches."""
WARM_AT_MOST_S = 8.0
ROUNDS = 5
SETTLE_S = 0.3
FINALISTS = 3
CHOICE = "mlpack"
FULL_BYTES = 2 * 2**30
"""Memory that stays free while finalists are alive; those that no longer fit are left out, aloud."""


class Kept:
    """What is measured already: one JSON file a case, thrown away when the code, the plan or a version changed."""

    def __init__(self, file: Path, key: str, *, fresh: bool) -> None:
        self._file, self._key = file, key
        held = json.loads(file.read_text()) if file.exists() and not fresh else {}
        self.points: dict[str, Any] = held.get("points", {}) if held.get("key") == key else {}

    def get(self, name: str, measure: Callable[[], Any]) -> Any:
        """The kept value of ``name``, measured where there is none."""
        if name not in self.points:
            self.points[name] = measure()
            self._file.write_text(json.dumps({"key": self._key, "points": self.points}))
        return self.points[name]


def begin(made: Ready, point: Point | None, log: str) -> server.Running:
    """Start a point (None: mlpack's, exactly as rendered and under its own limit) and warm it. Raises NotReady."""
    wanted = made.limit(planned=point is None)
    running = server.start(made.argv(point), made.environ(point), made.folder, wanted, made.folder / log)
    workers = made.choice.workers if point is None else point.workers
    try:
        running.ready(made.plan.spec.services["web"].health or "/", workers)
        answers = ANSWERS_PER_WORKER * workers
        warm = client.load(running.port, made.request, WARM_S, at_least=answers, at_most_s=WARM_AT_MOST_S)
        if not warm.moments:
            raise server.NotReady(warm.errors[0] if warm.errors else "no answer")
    except BaseException:
        running.stop()
        raise
    return running


def screen(made: Ready, point: Point) -> dict[str, Any]:
    """One point alone, once."""
    try:
        running = begin(made, point, "screen.log")
    except server.NotReady as error:
        return {"rps": 0.0, "errors": 1, "failed": str(error)[-200:]}
    try:
        tally = client.load(running.port, made.request, WINDOW_S)
        return {"rps": client.rate(tally), "errors": len(tally.errors), "pss_bytes": running.pss_bytes()}
    finally:
        running.stop()


def final(made: Ready, points: dict[str, Point | None], rounds: int) -> dict[str, Any]:
    """All ``points`` alive, loaded one after another in ``rounds`` of changing order: each one's rates and latency."""
    alive: dict[str, server.Running] = {}
    found: dict[str, Any] = {name: {"rates": [], "seconds": [], "errors": 0} for name in points}
    try:
        for i, (name, point) in enumerate(points.items()):
            if available_bytes() < FULL_BYTES:
                found[name]["failed"] = "no memory left to keep it alive beside the others"
                continue
            try:
                alive[name] = begin(made, point, f"final-{i}.log")
            except server.NotReady as error:
                found[name]["failed"] = str(error)[-200:]
        order = list(alive)
        for number in range(rounds):
            random.Random(number).shuffle(order)
            for name in order:
                time.sleep(SETTLE_S)
                tally = client.load(alive[name].port, made.request, WINDOW_S)
                found[name]["rates"].append(client.rate(tally))
                found[name]["seconds"] += tally.seconds
                found[name]["errors"] += len(tally.errors)
        for name, running in alive.items():
            found[name]["pss_bytes"] = running.pss_bytes()
    finally:
        for running in alive.values():
            running.stop()
    for one in found.values():
        latencies = sorted(one.pop("seconds"))
        one["p95_s"] = latencies[int(0.95 * (len(latencies) - 1))] if latencies else None
    return found


def available_bytes() -> int:
    """MemAvailable."""
    line = next(one for one in Path("/proc/meminfo").read_text().splitlines() if one.startswith("MemAvailable"))
    return 1024 * int(line.split()[1])


def run(made: Ready, work: Path, *, quick: bool, fresh: bool) -> dict[str, Any]:
    """The whole of one case."""
    visible = len(os.sched_getaffinity(0))
    small = quick or made.case.small
    points = grid(policies=made.policies, preloads=made.preloads, quick=small)
    random.Random(1).shuffle(points)
    others = peers(visible, preloads=made.service.server == "gunicorn")
    kept = Kept(work / f"{made.folder.name}.json", _key(made, quick), fresh=fresh)
    screened: dict[str, Any] = {}
    for i, point in enumerate(points):
        screened[point.name] = kept.get(f"screen {point.name}", lambda point=point: screen(made, point))  # type: ignore[misc]
        said = f"{screened[point.name]['rps']:8.1f}/s {screened[point.name].get('failed', '')}"
        print(f"{made.case.name}: {i + 1}/{len(points)} {point.name:20} {said}", flush=True)
    best = sorted(points, key=lambda point: -screened[point.name]["rps"])[: 2 if small else FINALISTS]
    finalists: dict[str, Point | None] = {CHOICE: None, **{point.name: point for point in best}, **others}
    print(f"{made.case.name}: final of {len(finalists)} ...", flush=True)
    measured = kept.get("final", lambda: final(made, finalists, 2 if quick else ROUNDS))
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
    code = b"".join(file.read_bytes() for file in sorted(HERE.glob("*.py")) if file.name != "report.py")
    app = b"".join(file.read_bytes() for file in sorted(made.folder.glob("*.py")))
    about = [made.plan.to_json(), json.dumps(made.versions), str(made.limit(planned=False)), str(quick)]
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
    parser.add_argument("--work", type=Path, default=HERE / "work")
    told = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what runs is ended and the groups go
    work = told.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    cases = [case for case in CASES if not told.only or case.name in told.only]
    prepared = [ready(case, work, case.name) for case in cases]  # all installing before anything is timed
    if told.prepare:
        return 0
    results = []
    for made in prepared:
        results.append(run(made, work, quick=told.quick, fresh=told.fresh))
        show(results[-1])
    reached = [one for one in results if one["rows"][0]["of_best"] >= GOAL]
    minutes = (time.monotonic() - begun) / 60
    print(f"mlpack's choice reaches {GOAL:g} of the best in {len(reached)} of {len(results)}; {minutes:.1f} minutes")
    if not told.quick and len(results) == len(CASES):
        document = {
            "schema_version": 1,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "visible_cores": len(os.sched_getaffinity(0)),
            "at_once": client.AT_ONCE,
            "rounds": ROUNDS,
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
