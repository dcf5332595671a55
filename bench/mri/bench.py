"""Whether a scan is ever lost: 200 through the mri-pipeline example in containers; what memory every service takes.

    .venv/bin/python -m bench.mri.bench [--tasks 200] [--kills 26] [--seed N]

SIGKILL to children of the worker that run a task, spread by how many have ended; the broker restarted once. Every scan
must end, done with the numbers and the mask that the same scan had before anything was killed, or failed with a reason,
and stay as it ended. Also the memory table: every service's highest need during the run, by the meter of
`mlpack verify`, against its limit and the plan's prediction; and before that, without deaths, with the largest scan
that is allowed, which the prediction is of. Needs an engine, root, and the images of tests/e2e. Writes result.json
beside this file, in some minutes. (tests/e2e/test_mri.py has the same in units of systemd, with fewer scans.)
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from tests.e2e import losing, mri, standins
from tests.e2e.losing import Row
from tests.e2e.test_mri import TRUTH_ML, WITHIN_ML
from tests.e2e.test_mri_compose import Containers
from tests.e2e.test_mri_hybrid import free_port

from mlpack.process import run

HERE = Path(__file__).parent
SCANS = ("knee.npy", "knee.nii.gz", "large.npy")
NUMBERS = ("volume_ml", "thickness_mean_mm", "thickness_max_mm")
MOST_OPEN = 80
"""The example turns more than 100 waiting scans away."""
AT_A_LOOK = 3
LARGEST = 24
ROWS = (
    "local found = {} for _, key in ipairs(redis.call('keys', 'job:*')) do found[key] = redis.call('hgetall', key) end "
    "return cjson.encode(found)"
)
MASKS = (
    "import hashlib, json, pathlib\n"
    "masks = pathlib.Path('data').glob('*/mask.npy')\n"
    "print(json.dumps({mask.parent.name: hashlib.sha256(mask.read_bytes()).hexdigest() for mask in masks}))"
)


class Broker:
    """Redis's own client, kept open: a scan takes half a second, and a kill has to find the one that it saw."""

    def __init__(self, system: Containers) -> None:
        self.system, self.client = system, self._open(system)

    @staticmethod
    def _open(system: Containers) -> subprocess.Popen[str]:
        argv = ["docker", "exec", "--interactive", system.compose("ps", "--quiet", "queue").strip(), "redis-cli"]
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def rows(self) -> dict[str, list[str]]:
        """Every job's fields; empty while Redis starts again, which ends its client."""
        assert self.client.stdin is not None
        assert self.client.stdout is not None
        with suppress(OSError, ValueError):
            self.client.stdin.write(f'eval "{ROWS}" 0\n')
            self.client.stdin.flush()
            found: dict[str, list[str]] = json.loads(self.client.stdout.readline())
            return found
        self.close()
        self.client = self._open(self.system)
        return {}

    def close(self) -> None:
        """Its process is gone."""
        self.client.kill()
        self.client.wait()


class Losing:
    """The running example as ``losing.trial`` asks for it."""

    def __init__(self, system: Containers) -> None:
        self.system, self.broker = system, Broker(system)
        self.container = system.compose("ps", "--quiet", "worker").strip()
        self.numbers: dict[str, int] = {}
        ids = [self.send(number) for number in range(len(SCANS))]
        assert [one["said"]["state"] for one in system.ask("wait", *ids)] == ["done"] * len(SCANS)
        self.reference = [self.rows()[job].result for job in ids]
        assert abs(float(self.reference[0]["volume_ml"]) - TRUTH_ML) < WITHIN_ML

    def send(self, number: int) -> str:
        """Upload one scan; they take turns."""
        (job,) = self.system.jobs(SCANS[number % len(SCANS)])
        self.numbers[job] = number
        return job

    def rows(self) -> Mapping[str, Row]:
        """As Redis has them; none while it starts."""
        rows = {}
        for key, flat in self.broker.rows().items():
            known = dict(zip(flat[::2], flat[1::2], strict=True))
            result = {name: known[name] for name in NUMBERS if name in known}
            attempts, pid = int(known.get("attempts", 0)), known.get("pid")
            row = Row(known.get("state", ""), result, known.get("reason", ""), attempts, int(pid) if pid else None)
            rows[key.removeprefix("job:")] = row
        return rows

    def right(self, number: int, row: Row) -> bool:
        """The numbers that this scan had before."""
        return bool(row.result == self.reference[number % len(SCANS)])

    def worker(self) -> str:
        """The worker's container."""
        return self.container

    def odd_masks(self) -> int:
        """How many masks differ from the first of the same scan."""
        masks: dict[str, str] = json.loads(self.system.compose("exec", "-T", "worker", "python", "-c", MASKS))
        first: dict[int, str] = {}
        by_number = sorted((number, masks[job]) for job, number in self.numbers.items() if job in masks)
        return sum(first.setdefault(number % len(SCANS), mask) != mask for number, mask in by_number)


def main() -> int:
    """0: nothing lost, nothing changed, nothing above its limit."""
    options = argparse.ArgumentParser()
    options.add_argument("--tasks", type=int, default=200)
    options.add_argument("--kills", type=int, default=26)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    asked = options.parse_args()
    print(f"seed {asked.seed}", flush=True)
    image = mri.app_image()
    mri.trained(image)
    standins.provide("redis", "caddy")
    with tempfile.TemporaryDirectory() as scratch:
        root, port = Path(scratch) / "project", free_port()
        root.mkdir()
        own = f"{{image: '{image}'}}"
        (root / "test.yaml").write_text(f"services: {{web: {own}, worker: {own}, proxy: {{publish: {port}}}}}\n")
        plan = mri.project(root, ("prod", "test.yaml")).plan
        system = Containers(root, root / "deploy" / "prod-test", port)
        redelivery = plan.services["worker"].times.redelivery_s
        assert redelivery is not None
        try:
            run([str(system.folder / "deploy.sh"), "up"], timeout_s=300)
            containers = {name: system.compose("ps", "--quiet", name).strip() for name in plan.services}
            with losing.watched(plan, system.folder, containers) as watches:
                ids = system.jobs(*["large.npy"] * LARGEST)
                assert {one["said"]["state"] for one in system.ask("wait", *ids)} == {"done"}
                largest = losing.memory_table(plan, watches, LARGEST)
            known = Losing(system)
            with losing.watched(plan, system.folder, containers) as watches, closing(known.broker):
                said = losing.trial(
                    known,
                    tasks=asked.tasks,
                    kills=asked.kills,
                    seed=asked.seed,
                    patience_s=redelivery.value + 120,
                    events={"the broker restarted": (0.5, lambda: system.compose("restart", "queue"))},
                    most_open=MOST_OPEN,
                    at_a_look=AT_A_LOOK,
                )
                memory = losing.memory_table(plan, watches, asked.tasks)
            said["odd_masks"] = known.odd_masks()
            versions = {
                name: system.compose("exec", "-T", name, *words).strip()
                for name, words in {
                    "worker": ("python", "-c", "import celery, torch; print(celery.__version__, torch.__version__)"),
                    "queue": ("redis-server", "--version"),
                    "proxy": ("caddy", "version"),
                }.items()
            }
        finally:
            system.compose("down", "--volumes", "--timeout", "2", check=False)
    total = sum(one["limit_mib"] for one in memory.values())
    budget = round(plan.budget.usable_bytes.value / 2**20)
    result: dict[str, Any] = {
        "trial": said,
        "memory": memory,
        "memory_largest": largest,
        "sum_of_limits_mib": total,
        "budget_mib": budget,
        "versions": versions | {"kernel": platform.release()},
    }
    (HERE / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    rows = [*memory.values(), *largest.values()]
    held = all(one["peak_mib"] <= one["limit_mib"] and not one["oom_kills"] for one in rows)
    held = held and all(one["in_band"] for one in largest.values())
    kept = said["lost"] == said["ended_otherwise"] == said["wrong_results"] == said["odd_masks"] == 0
    return 0 if kept and held and total <= budget else 1


if __name__ == "__main__":
    sys.exit(main())
