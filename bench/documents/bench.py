"""Whether a document is ever lost: 200 forms through the example while processes are killed; what memory it takes.

    .venv/bin/python -m bench.documents.bench [--tasks 200] [--kills 22] [--seed N] [--only-memory]

SIGKILL to children of the worker that run a task, spread by how many have ended; the broker restarted once, the
language model's process killed once. Every form must end, done with its own true fields or failed with a reason, and
stay as it ended. Also the memory table: every service's highest need during the run, by the meter of `mlpack verify`,
against its limit and the plan's prediction; and once more, which --only-memory does alone, with the largest form that
is allowed, three at a time, without deaths: what the prediction is of. Needs an engine, root, and the images of
tests/e2e. Writes result.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.e2e import documents, losing, standins
from tests.e2e.test_mri_hybrid import free_port

HERE = Path(__file__).parent


LARGEST, OTHERS = 9, 12


def quiet_memory(system: documents.Containers, containers: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The memory table of ``LARGEST`` largest forms and ``OTHERS`` small ones, all of which end well."""
    samples = documents.EXAMPLE / "samples"
    with losing.watched(system.plan, system.folder, containers) as watches:
        files = [samples / "large.pdf"] * LARGEST + [samples / "form.pdf"] * OTHERS
        taken = [system.upload(file)[1]["id"] for file in files]
        assert {system.ended(str(one))["state"] for one in taken} == {"done"}
        return losing.memory_table(system.plan, watches, len(files))


def main() -> int:
    """0: nothing lost, nothing changed, nothing above its limit."""
    options = argparse.ArgumentParser()
    options.add_argument("--tasks", type=int, default=200)
    options.add_argument("--kills", type=int, default=22)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    options.add_argument("--only-memory", action="store_true", help="keep the trial that result.json has")
    asked = options.parse_args()
    print(f"seed {asked.seed}", flush=True)
    documents.provide()
    standins.provide("redis", "postgres", "llama", "flower")
    with tempfile.TemporaryDirectory() as scratch:
        forms = Path(scratch) / "forms"
        own = f"  flower: {{publish: {free_port()}}}\n"
        system = documents.Containers(Path(scratch) / "project", free_port(), ("watch",), own)
        try:
            system.up()
            containers = {name: system.container(name) for name in system.plan.services}
            largest = quiet_memory(system, containers)
            if asked.only_memory:
                known = json.loads((HERE / "result.json").read_text(encoding="utf-8"))
                said, memory = known["trial"], known["memory"]
            else:
                with losing.watched(system.plan, system.folder, containers) as watches:
                    said = documents.lose(system, forms, asked.tasks, asked.kills, asked.seed, broker=True)
                    memory = losing.memory_table(system.plan, watches, asked.tasks)
            versions = {"documents": system.versions(), "kernel": platform.release()}
        finally:
            system.down()
    total = sum(one["limit_mib"] for one in largest.values())
    budget = round(system.plan.budget.usable_bytes.value / 2**20)
    result: dict[str, Any] = {
        "trial": said,
        "memory": memory,
        "memory_largest": largest,
        "sum_of_limits_mib": total,
        "budget_mib": budget,
        "versions": versions,
    }
    (HERE / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    rows = [*memory.values(), *largest.values()]
    held = all(one["peak_mib"] <= one["limit_mib"] and not one["oom_kills"] for one in rows)
    return 0 if said["lost"] == 0 and said["ended_otherwise"] == 0 and held and total <= budget else 1


if __name__ == "__main__":
    sys.exit(main())
