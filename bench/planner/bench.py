"""How much processor time a plan of 50, 100 and 200 services takes, and how that grows.

    python bench/planner/bench.py [--rounds 7]

Each number is the least of several fresh processes, counted after imports: a command plans once, so that nothing may
be warm. Every service has memory of its own, so that few values repeat. Beside it, in the same process, the plan is
read back from its JSON: a yardstick that is as fast or slow as the machine. Writes result.json beside this file. Exit 1
where a goal is missed.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import itertools
import json
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mlpack.footprint import Footprint, Kind, Per, Region, Stage
from mlpack.host import CgroupFacts, CpuFacts, HostFacts, MemoryFacts
from mlpack.plan import Plan
from mlpack.planner import make_plan
from mlpack.spec import RuntimeName, Spec
from mlpack.units import MIB, TIB

SIZES = (50, 100, 200)
GOAL_MS = 50.0
"""Of processor time for 200 services, after imports."""
GOAL_GROWTH = 2.3
"""From 100 to 200 services: 2 is linear, the rest is noise and the garbage collector."""
CORES_PER_SERVICE = 4


def system(services: int) -> tuple[Spec, dict[str, Footprint], dict[str, tuple[RuntimeName, ...]]]:
    """Groups of five: a web app and a queue's worker with a model each, their broker, a plain page, a proxy."""
    wanted: dict[str, Any] = {}
    models: dict[str, Any] = {}
    for i in range(services // 5):
        broker = {"BROKER_URL": {"of": f"queue{i}", "fact": "url"}}
        models[f"m{i}"] = {"path": f"weights/m{i}.safetensors"}
        app: dict[str, Any] = {"models": [f"m{i}"], "env": broker}
        wanted[f"web{i}"] = {"server": "gunicorn", "app": "a:b", "health": "/health", "publish": 10_000 + i, **app}
        wanted[f"worker{i}"] = {"server": "celery", "app": "t:a", **app}
        wanted[f"queue{i}"] = {"server": "redis"}
        wanted[f"page{i}"] = {"server": "uvicorn", "app": "p:a", "health": "/", "publish": 20_000 + i}
        wanted[f"proxy{i}"] = {"server": "caddy", "to": f"web{i}", "publish": 30_000 + i}
    spec = Spec.model_validate({"name": "big", "models": models, "services": wanted})
    names = [name for name, service in spec.services.items() if service.models]
    return spec, {name: footprint(name, i) for i, name in enumerate(names)}, dict.fromkeys(names, ("torch",))


def footprint(service: str, number: int) -> Footprint:
    """One measured process; ``number`` makes its memory its own."""

    def region(name: str, stage: Stage, kind: Kind, per: Per, mib: int) -> Region:
        size = mib * MIB + number * 4096
        return Region(
            name=name,
            stage=stage,
            kind=kind,
            per=per,
            bytes=size,
            lower_bytes=size,
            source="measured",
            because="made up",
        )

    regions = (
        region("libraries", "import", "anonymous", "process", 140),
        region("shared libraries", "import", "mapped", "process", 80),
        region("weights", "load", "anonymous", "process", 400),
        region("load peak", "load", "anonymous", "moment", 300),
        region("activations", "serve", "anonymous", "request", 90),
    )
    return Footprint(
        service=service, source="measured", regions=regions, load_s=4 + number / 100, request_s=0.5 + number / 1000
    )


def host(cores: int) -> HostFacts:
    """A machine on which memory is never short."""
    return HostFacts(
        system="Linux",
        release="6.1",
        memory=MemoryFacts(total_bytes=4 * TIB, swap_total_bytes=0),
        cpu=CpuFacts(
            model=None, architecture="x86_64", physical_cores=cores, logical_cores=cores, affinity_cores=cores
        ),
        cgroup=CgroupFacts(version="v2"),
    )


def once(services: int) -> dict[str, float]:
    """Milliseconds of processor time: one plan, and reading it back from its JSON."""
    spec, footprints, runtimes = system(services)
    machine = host(services * CORES_PER_SERVICE * 2 // 5)
    start = time.process_time()
    plan = make_plan(machine, spec, footprints, profiles=("prod",), origins={}, runtimes=runtimes)
    planned = time.process_time()
    text = plan.to_json()
    gc.disable()  # what it would look through is the plan before
    written = time.process_time()
    Plan.model_validate_json(text)
    return {"plan": 1000 * (planned - start), "read": 1000 * (time.process_time() - written)}


def least(services: int, rounds: int) -> dict[str, float]:
    """The least of ``rounds`` fresh processes, for each number."""
    argv = (sys.executable, __file__, "--once", str(services))
    runs = [json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout) for _ in range(rounds)]
    return {name: min(run[name] for run in runs) for name in runs[0]}


def main() -> int:
    """Print the table; 0 where both goals are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--once", type=int, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.once:
        print(json.dumps(once(told.once)))
        return 0
    print(f"{'services':>8} {'plan, CPU ms':>13} {'a service, ms':>14} {'x reading its JSON':>19}")
    found = {}
    for services in SIZES:
        found[services] = took = least(services, told.rounds)
        print(f"{services:>8} {took['plan']:>13.1f} {took['plan'] / services:>14.3f}", end=" ")
        print(f"{took['plan'] / took['read']:>19.1f}")
    growth = [found[big]["plan"] / found[small]["plan"] for small, big in itertools.pairwise(SIZES)]
    print(f"growth {' and '.join(f'{ratio:.2f}' for ratio in growth)} (goal <= {GOAL_GROWTH:g} where services double)")
    whole = found[SIZES[-1]]["plan"]
    document = {
        "schema_version": 1,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": {name: importlib.metadata.version(name) for name in ("pydantic", "pydantic-core")},
        "rounds": told.rounds,
        "cpu_ms": {str(size): {name: round(value, 1) for name, value in took.items()} for size, took in found.items()},
        "growth_where_services_double": [round(ratio, 2) for ratio in growth],
        "goal_ms": GOAL_MS,
    }
    (Path(__file__).parent / "result.json").write_text(json.dumps(document, indent=1) + "\n")
    print(f"{SIZES[-1]} services: {whole:.1f} ms (goal < {GOAL_MS:g} ms)")
    return 0 if whole < GOAL_MS and growth[-1] <= GOAL_GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
