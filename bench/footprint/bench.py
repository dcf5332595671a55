"""Holds mlpack's memory limits against the truth: the lowest limit under which a container serves without refaults.

    python -m bench.footprint.bench [--only ROW ...] [--quick] [--again | --measure N] [--known] [--report]

For each row (rows.py) the bench makes a project, lets mlpack estimate it by headers and measure it inside the image,
starts the container without a limit for reference, and then searches the boundary in containers without swap, their
libraries and weights evicted from the page cache before each. A limit passes when the service starts, no worker is
lost, every answer is right, p95 is within twice the unlimited one's and refaults stay under 1 % of the mapped bytes
per request. The lowest that passes once is then held: it has to pass with five more starts and their first requests,
and is raised until it does, as load peaks that did not meet the first time may meet the next. ``--known`` begins with
the boundaries of result.json instead of a search. A finished row is kept in DIR/rows/ROW/result.json and not run
again; predictions are worked out anew each time, as they need no container. ``--measure N`` measures finished rows N
times more, without their boundary, and the table then shows the least and the most. Writes result.json beside this
file (rows that DIR does not have stay as they are told there), the table in docs/memory.md and its plot.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.footprint import engine
from bench.footprint.boundary import Boundary, hold, search
from bench.footprint.predictions import REPEATED, predictions, repeated
from bench.footprint.project import REPOSITORY, host, planned, write_project
from bench.footprint.rows import ROWS, SERVED, Row
from bench.footprint.show import show, write_docs
from bench.footprint.trial import judge, limited, unlimited

from mlpack.errors import MlpackError
from mlpack.footprint import FootprintFile
from mlpack.units import show_mib

HERE = Path(__file__).resolve().parent
RESULT = HERE / "result.json"
STARTS = 6
"""How often a service must start under its boundary."""


def run_row(row: Row, cache: Path, *, quick: bool, within: float, known: Boundary | None) -> dict[str, Any]:
    """The boundary of ``row`` and all that was seen on the way; raises RuntimeError where the row cannot run."""
    served, project = SERVED[row.model], cache / "rows" / row.name
    for stale in ("footprint.json", REPEATED):
        (project / stale).unlink(missing_ok=True)
    engine.make_weights(row.model, served.python, cache / "weights")
    write_project(row, project, cache / "weights")
    static = planned(row, project, measured=False)
    assert static is not None
    found = planned(row, project, measured=True)
    if found is None:
        engine.measure(project, served.python)
        found = planned(row, project, measured=True)
    start = found or static
    trials: list[dict[str, Any]] = []
    base = unlimited(row, start, project, 2.0 if quick else 5.0)
    say(f"  unlimited: starts in {base.trial.start_s} s, p95 {base.trial.p95_s} s, {base.requests} requests a trial")

    def passes(limit_bytes: int, starts: int = 1) -> str:
        for _ in range(2):
            trial = limited(row, start, project, base, limit_bytes, starts=starts)
            why = judge(trial, base.trial)
            if not why.startswith("p95"):
                break
            say(f"  {show_mib(limit_bytes)}: {why}")  # other work on this machine may have slowed it: tried again
        trials.append({**asdict(trial), "failed": why})
        say(f"  {show_mib(limit_bytes)}: {why or 'passed'}{f', {starts} starts' if starts > 1 else ''}")
        return why

    boundary = known or search(passes, start.limit_bytes, within=within)
    boundary = hold(lambda limit_bytes: passes(limit_bytes, STARTS), boundary, within=within)
    file = project / "footprint.json"
    return {
        "row": row.name,
        "quick": quick,
        "boundary": asdict(boundary),
        "unlimited": asdict(base.trial),
        "trials": trials,
        "footprint": json.loads(FootprintFile.model_validate_json(file.read_text()).to_json())
        if file.exists()
        else None,
    }


def measure_again(row: Row, cache: Path, times: int) -> list[str]:
    """New measurements for a finished row, whose boundary stays as it was found; the row's name where one fails.

    The limit of each is kept beside the earlier ones, as measurements differ; the plan goes by the last.
    """
    project = cache / "rows" / row.name
    if not (project / "result.json").exists():
        return []
    kept = repeated(project)
    before = planned(row, project, measured=True)
    if before is not None and not kept:
        kept.append(before.limit_bytes)
    for number in range(times):
        say(f"{row.name}: {row.how}, measured again ({number + 1} of {times})")
        (project / "footprint.json").unlink(missing_ok=True)
        write_project(row, project, cache / "weights")
        try:
            engine.measure(project, SERVED[row.model].python)
        except RuntimeError as error:
            say(f"  FAILED: {error}")
            return [row.name]
        found = planned(row, project, measured=True)
        assert found is not None
        kept.append(found.limit_bytes)
        say(f"  {', '.join(show_mib(limit) for limit in kept)}")
        (project / REPEATED).write_text(json.dumps(kept) + "\n")
    return []


def told() -> dict[str, dict[str, Any]]:
    """The rows of result.json by name."""
    return {row["row"]: row for row in json.loads(RESULT.read_text())["rows"]} if RESULT.exists() else {}


def known_boundary(row: Row) -> Boundary | None:
    """The boundary that result.json has for ``row``."""
    found = told().get(row.name)
    if found is None:
        return None
    return Boundary(found["boundary"], found["failed_below"], found["failed_because"], predicted_passed=True, trials=0)


def say(text: str) -> None:
    """Progress, at once."""
    print(text, flush=True)


def main() -> int:
    """Run what is asked for and not there yet; print, write; 1 where a target is missed or a row failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="ROW", choices=[row.name for row in ROWS], default=[])
    parser.add_argument("--quick", action="store_true", help="shorter loads and a coarser boundary; not written down")
    parser.add_argument("--again", action="store_true", help="run rows anew that have a result")
    parser.add_argument("--measure", type=int, metavar="N", help="measure finished rows N times more")
    parser.add_argument("--known", action="store_true", help="hold the boundaries of result.json; search none")
    parser.add_argument("--report", action="store_true", help="run nothing: predictions and table from what there is")
    parser.add_argument("--within", type=float, default=1.02, help="factor to which the boundary is narrowed")
    parser.add_argument("--cache", type=Path, default=REPOSITORY / "build" / "footprint")
    chosen = parser.parse_args()
    cache: Path = chosen.cache.absolute()
    failed = []
    if not chosen.report:
        engine.build_image()
        for row in ROWS:
            if chosen.only and row.name not in chosen.only:
                continue
            kept = cache / "rows" / row.name / "result.json"
            if chosen.measure:
                failed += measure_again(row, cache, chosen.measure)
                continue
            if kept.exists() and not chosen.again:
                continue
            began_s = time.monotonic()
            say(f"{row.name}: {row.how}")
            try:
                within = 1.06 if chosen.quick else chosen.within
                known = known_boundary(row) if chosen.known else None
                found = run_row(row, cache, quick=chosen.quick, within=within, known=known)
            except (RuntimeError, MlpackError) as error:
                say(f"  FAILED: {error}")
                failed.append(row.name)
                continue
            kept.write_text(json.dumps(found, indent=1) + "\n")
            say(f"  {time.monotonic() - began_s:.0f} s")
    before = told()
    rows = [now for row in ROWS if (now := predictions(row, cache) or before.get(row.name)) is not None]
    about = {
        "schema_version": 1,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "read_ahead_bytes": host().memory.read_ahead_bytes,
        "versions": {python: engine.versions(python) for python in ("torch", "onnx", "tensorflow", "trees", "llama")},
        "rows": rows,
    }
    if rows and not chosen.quick:
        RESULT.write_text(json.dumps(about, indent=1) + "\n")
        write_docs(rows, REPOSITORY / "docs")
    missed = show(rows)
    return int(bool(missed or failed))


if __name__ == "__main__":
    sys.exit(main())
