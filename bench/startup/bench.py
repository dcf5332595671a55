"""How fast the commands start: medians of alternating runs in one session, as ratios to a bare ``python -c pass``.

    python bench/startup/bench.py [--rounds 21] [--keep FOLDER]

mlpack is built as a wheel and installed into an environment of its own, as users have it; two peers' ``--help`` run
beside it, each from its own environment and divided by that environment's bare Python. Needs a package index for the
peers; without one they are left out, and the output says so. Writes result.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
EXAMPLE = REPOSITORY / "examples" / "embedding"
PEERS = {"bentoml": ("bentoml", "--help"), "litserve": ("litserve", "--help")}
TARGETS = {"mlpack --help": 8.0, "mlpack probe --json": 20.0}
"""Times a bare Python; from the design's start-up goals."""


@dataclass
class Timed:
    """One command: how it is run, what it is divided by, and its times in seconds."""

    name: str
    argv: tuple[str, ...]
    base: str
    cwd: Path
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    def once(self) -> tuple[float, float]:
        """Seconds of one run, and its processor seconds, children included. Raises CalledProcessError on failure."""
        cpu, start = children_cpu(), time.perf_counter()
        subprocess.run(self.argv, cwd=self.cwd, check=True, capture_output=True, timeout=120)
        return time.perf_counter() - start, children_cpu() - cpu


def children_cpu() -> float:
    """Processor seconds of all children that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def quietly(*argv: str, cwd: Path | None = None) -> None:
    """Run a step of the preparation. Raises CalledProcessError with its output."""
    subprocess.run(argv, cwd=cwd, check=True, capture_output=True, text=True, timeout=1200)


def environment(folder: Path, *packages: str) -> Path:
    """A virtual environment with ``packages``; the folder of its programs."""
    programs = folder / "bin"
    if not programs.exists():
        quietly(sys.executable, "-m", "venv", str(folder))
        quietly(str(programs / "pip"), "install", "--quiet", "--disable-pip-version-check", *packages)
    return programs


def wheel(folder: Path) -> Path:
    """mlpack's wheel, built from this tree into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    quietly(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), str(REPOSITORY))
    return next(folder.glob("*.whl"))


def versions(programs: Path, *packages: str) -> dict[str, str]:
    """Versions of ``packages`` as installed in an environment."""
    code = "import sys, json, importlib.metadata as m; print(json.dumps({p: m.version(p) for p in sys.argv[1:]}))"
    said = subprocess.run([programs / "python", "-c", code, *packages], check=True, capture_output=True, text=True)
    return {str(name): str(version) for name, version in json.loads(said.stdout).items()}


def bare(name: str, programs: Path, cwd: Path) -> Timed:
    """The bare Python that commands of this environment are divided by."""
    return Timed(name, (str(programs / "python"), "-c", "pass"), name, cwd)


def mlpack_commands(work: Path) -> tuple[list[Timed], dict[str, str]]:
    """mlpack's commands, from a wheel, on a copy of the example that has been rendered once."""
    for stale in ("mlpack", "wheel", "example"):
        shutil.rmtree(work / stale, ignore_errors=True)
    programs = environment(work / "mlpack", str(wheel(work / "wheel")))
    project = work / "example"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns(".venv", "deploy"))
    mlpack = str(programs / "mlpack")
    base = "python -c pass"
    commands = [bare(base, programs, work)]
    for words in ("--help", "probe --json"):
        commands.append(Timed(f"mlpack {words}", (mlpack, *words.split()), base, project))
    try:
        quietly(mlpack, "render", "prod", cwd=project)
    except subprocess.CalledProcessError as error:
        print(f"mlpack render is left out: {(error.stderr or error.stdout).strip()[-300:]}")
    else:
        for words in ("render prod --dry-run", "render prod --check"):
            commands.append(Timed(f"mlpack {words}", (mlpack, *words.split()), base, project))
    return commands, versions(programs, "mlpack-deploy", "pydantic", "typer", "jinja2")


def peer_commands(work: Path) -> tuple[list[Timed], dict[str, str], list[str]]:
    """The peers' ``--help``; those that cannot be installed or do not run are named with the reason."""
    commands: list[Timed] = []
    found: dict[str, str] = {}
    missing = []
    for package, words in PEERS.items():
        try:
            programs = environment(work / package, package)
            base = f"python -c pass ({package})"
            timed = Timed(" ".join(words), (str(programs / words[0]), *words[1:]), base, work)
            timed.once()
        except (subprocess.SubprocessError, OSError) as error:
            said = getattr(error, "stderr", None) or error
            missing.append(f"{package}: {str(said).strip()[-300:]}")
            continue
        commands += [bare(base, programs, work), timed]
        found |= versions(programs, package)
    return commands, found, missing


def measure(commands: list[Timed], rounds: int) -> None:
    """Run all commands in turn, ``rounds`` times, after one round that fills the caches and does not count."""
    for index in range(rounds + 1):
        for command in commands:
            seconds, cpu_seconds = command.once()
            if index:
                command.seconds.append(seconds)
                command.cpu_seconds.append(cpu_seconds)


def results(commands: list[Timed]) -> list[dict[str, object]]:
    """One row per command; ``ratio`` is the median over the median of its bare Python.

    ``cpu_ratio`` is the same of processor time: more than ``ratio`` where work overlaps, and steadier beside others.
    """
    cpu = {command.name: statistics.median(command.cpu_seconds) for command in commands}
    medians = {command.name: statistics.median(command.seconds) for command in commands}
    rows: list[dict[str, object]] = []
    for command in commands:
        ratio = medians[command.name] / medians[command.base]
        target = TARGETS.get(command.name)
        rows.append(
            {
                "command": command.name,
                "median_ms": round(1000 * medians[command.name], 1),
                "fastest_ms": round(1000 * min(command.seconds), 1),
                "ratio": round(ratio, 1),
                "cpu_ratio": round(cpu[command.name] / cpu[command.base], 1),
                "target": target,
                "met": None if target is None else ratio <= target,
            }
        )
    return rows


def main() -> int:
    """Prepare, measure, print and write; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--keep", type=Path, help="keep the peers' environments here for the next time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="startup") as temporary:
        work = arguments.keep.absolute() if arguments.keep else Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        commands, found = mlpack_commands(work)
        peers, peer_versions, missing = peer_commands(work)
        commands += peers
        measure(commands, arguments.rounds)
    rows = results(commands)
    print(f"{'command':32} {'median':>9} {'fastest':>9} {'x bare':>7} {'x cpu':>6}  target")
    for row in rows:
        goal = "" if row["target"] is None else f"<= {row['target']:g} {'met' if row['met'] else 'MISSED'}"
        times = f"{row['median_ms']:6} ms {row['fastest_ms']:6} ms"
        print(f"{row['command']:32} {times} {row['ratio']:7} {row['cpu_ratio']:6}  {goal}")
    for reason in missing:
        print(f"left out: {reason}")
    document = {
        "schema_version": 1,
        "rounds": arguments.rounds,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": {**found, **peer_versions},
        "left_out": missing,
        "results": rows,
    }
    (HERE / "result.json").write_text(json.dumps(document, indent=2) + "\n")
    return int(any(row["met"] is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
