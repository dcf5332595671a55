"""What verifying costs: watching memory at 10 Hz in share of a core, and a whole verification of an example.

    python bench/verify/bench.py watching [--seconds 30]
    python bench/verify/bench.py whole [--project examples/embedding] [--profile prod] [--rounds 1]

``watching`` starts a service-like tree of processes with mapped files (this Python, two children), and watches it as
verify does, at 10 readings a second and at verify's own beat, against the same wait without a watch: processor seconds
of this process in each, in alternating rounds of one run. ``whole`` runs `mlpack verify`, images built before. Both
write into result.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mlpack.meter.cgroup_find import find_cgroup
from mlpack.meter.sampler import EVERY_S, Sampler
from mlpack.meter.sources import cgroup_source, mapped_source, process_source
from mlpack.report import VerifyReport
from mlpack.verify.watch import MAPPED_EVERY_S

HERE = Path(__file__).resolve().parent
RESULT = HERE / "result.json"
GOALS = {"share_of_a_core_at_10_hz": 0.02, "whole_s": 60.0}
ROUNDS = 3
CHILD = "import ssl, json, sqlite3, asyncio, time; x = bytes(50_000_000); time.sleep(3600)"


def cpu_share(watch: Any, seconds: float) -> float:
    """Processor seconds of this process for each second that ``watch`` (a context, or None) is open."""
    start, wall = time.process_time(), time.perf_counter()
    if watch is None:
        time.sleep(seconds)
    else:
        with watch:
            time.sleep(seconds)
    return (time.process_time() - start) / (time.perf_counter() - wall)


def watching(seconds: float) -> dict[str, Any]:
    """Shares of a core, medians of rounds that alternate."""
    children = [subprocess.Popen([sys.executable, "-c", CHILD]) for _ in range(2)]
    try:
        time.sleep(2)
        proc = Path("/proc")
        group = find_cgroup(proc, children[0].pid)

        def pids() -> tuple[int, ...]:
            return tuple(child.pid for child in children)  # verify lists its group; here that is this process's own

        def sampler(every_s: float) -> Sampler:
            quick = cgroup_source(group) if group is not None else process_source(proc, pids)
            return Sampler(quick, mapped_source(proc, pids), every_s=every_s, mapped_every_s=MAPPED_EVERY_S)

        shares: dict[str, list[float]] = {"nothing": [], "10 Hz": [], f"verify's own {1 / EVERY_S:g} Hz": []}
        for _ in range(ROUNDS):
            shares["nothing"].append(cpu_share(None, seconds))
            shares["10 Hz"].append(cpu_share(sampler(0.1), seconds))
            shares[f"verify's own {1 / EVERY_S:g} Hz"].append(cpu_share(sampler(EVERY_S), seconds))
    finally:
        for child in children:
            child.kill()
            child.wait()
    found = {name: round(statistics.median(values), 5) for name, values in shares.items()}
    ten = found["10 Hz"] - found["nothing"]
    return {
        "share_of_a_core": found,
        "share_of_a_core_at_10_hz": round(ten, 5),
        "rounds": ROUNDS,
        "seconds_each": seconds,
        "read_from": "control group and smaps" if group is not None else "processes",
        "met": ten < GOALS["share_of_a_core_at_10_hz"],
    }


def whole(project: Path, profile: str, rounds: int) -> dict[str, Any]:
    """Seconds of `mlpack verify` and of each check, of the last round; the builds of the first are its cache."""
    argv = [sys.executable, "-m", "mlpack", "verify", profile, "--project", str(project), "--json"]
    report = None
    for _ in range(rounds):
        done = subprocess.run(argv, capture_output=True, text=True, timeout=900, check=False)
        report = VerifyReport.model_validate_json(done.stdout)
    assert report is not None
    checks = {check.name: round(check.duration_s, 2) for check in report.checks}
    return {
        "project": project.name,
        "profile": profile,
        "whole_s": round(report.duration_s, 1),
        "passed": report.passed,
        "statuses": {check.name: check.status for check in report.checks},
        "checks_s": checks,
        "machine": report.machine,
        "met": report.duration_s < GOALS["whole_s"],
    }


def main() -> int:
    """0 when the goal is met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("watching", "whole"))
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--project", type=Path, default=HERE.parents[1] / "examples" / "embedding")
    parser.add_argument("--profile", default="prod")
    parser.add_argument("--rounds", type=int, default=1)
    asked = parser.parse_args()
    found = watching(asked.seconds) if asked.what == "watching" else whole(asked.project, asked.profile, asked.rounds)
    result = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    result[asked.what] = {**found, "python": platform.python_version(), "kernel": platform.release()}
    result["goals"] = GOALS
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(found, indent=2))
    return 0 if found["met"] else 1


if __name__ == "__main__":
    sys.exit(main())
