"""moderation at full size (3.1 GB of weights) under 8 GB and 12 GB: mlpack's plan against the team's hand-made files.

    .venv/bin/python bench/moderation/bench.py prepare --python PYTHON --work FOLDER   # once
    .venv/bin/python bench/moderation/bench.py plans --work FOLDER     # what was planned, into result.json
    .venv/bin/python bench/moderation/bench.py run --work FOLDER --kind mlpack --limit 8G [--seconds 300]
    .venv/bin/python bench/moderation/bench.py run --work FOLDER --kind hand --limit 8G

A run is a closed loop of CLIENTS requests at once, with texts of mixed lengths (LENGTHS, in tokens; the same order for
both), for --seconds after every worker has answered once. It counts right statuses, the container's OOM kills, and its
workers that were killed. Hand-made: the command and variables of tests/audit/before/moderation/docker-compose.yml, in
the same image, with the limit asked for in place of its own. PYTHON has the example's requirements. Every run is added
to result.json beside this file, in place of an earlier one of the same kind and limit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import yaml

from mlpack.launchers.this_machine import host_network

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
EXAMPLE = REPOSITORY / "examples" / "moderation"
BEFORE = REPOSITORY / "tests" / "audit" / "before" / "moderation" / "docker-compose.yml"
MLPACK = REPOSITORY / ".venv" / "bin" / "mlpack"
IMAGE = "mlpack-bench-moderation:latest"
PROFILES = {"8G": "dev", "12G": "prod"}
CLIENTS = 6
LENGTHS = (12, 25, 40, 80, 160, 300, 500)
"""Tokens of a text; short ones are commoner, as WEIGHTS has it."""
WEIGHTS = (6, 6, 5, 4, 2, 1, 1)
TEXT = "the match and the team were lovely . i feel happy today . thank you for reading ."
SEED = 11
WARM_S = 5.0
PORT = 5000


def said(*argv: str, cwd: Path | None = None, timeout_s: float = 1800) -> str:
    """What a program printed. Raises CalledProcessError."""
    return subprocess.run(argv, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True, timeout=timeout_s).stdout


def prepare(work: Path, python: Path) -> None:
    """The example with full-size weights in ``work``: measured, planned for both budgets, its image built."""
    left_out = shutil.ignore_patterns("weights", "deploy", ".venv", "__pycache__", "footprint.json", "logs", "before")
    shutil.copytree(EXAMPLE, work, ignore=left_out, dirs_exist_ok=True)
    spec = yaml.safe_load((work / "mlpack.yaml").read_text())
    # Untrained models have no right answers, and a limit said for the small ones is not theirs.
    spec["requests"] = {"long": {**spec["requests"]["long"], "expect": {"status": 200}}}
    spec["services"]["web"].pop("memory", None)
    (work / "mlpack.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    (work / "logs").mkdir(exist_ok=True)
    (work / "logs").chmod(0o777)
    if not (work / "weights").exists():
        said(str(python), "make_weights.py", "--full", cwd=work)
    if not (work / "footprint.json").exists():
        said(str(MLPACK), "estimate", "--measure", "-C", str(work), "--python", str(python), cwd=work)
    for left in (work / "logs").iterdir():
        left.unlink()  # of whoever measured, and not the container's user's
    for profile in PROFILES.values():
        said(str(MLPACK), "render", profile, "-C", str(work), cwd=work)
    network = host_network(dict(os.environ))
    words = ["docker", "build", "--quiet", "--file", str(work / "deploy/prod/Dockerfile"), "--tag", IMAGE]
    words += [f"--build-arg={name}={text}" for name, text in network.args.items()]
    words += ["--build-context", f"wheels={network.wheels}"] if network.wheels else []
    said(*words, str(work))


def override(work: Path, kind: str, limit: str) -> tuple[Path, Path]:
    """The compose file of one side, and what is laid over it: the bench's image and port."""
    ports = f'!override ["127.0.0.1:0:{PORT}"]'
    if kind == "mlpack":
        folder = work / "deploy" / PROFILES[limit]
        over = work / "over-mlpack.yaml"
        over.write_text(f"services:\n  web: {{image: {IMAGE}, ports: {ports}}}\n  mlpack-folders: {{image: {IMAGE}}}\n")
        return folder / "compose.yaml", over
    spec = yaml.safe_load(BEFORE.read_text())
    web = spec["services"]["web"]
    del web["build"]
    web["image"], web["working_dir"] = IMAGE, "/opt/moderation"
    web["deploy"]["resources"]["limits"]["memory"] = limit
    # As theirs: without mlpack's settings file. The app finds its weights where it lies.
    web["volumes"] = [*web["volumes"], f"{work / 'weights'}:/opt/moderation/weights:ro"]
    file, over = work / "hand.yaml", work / "over-hand.yaml"
    file.write_text(yaml.safe_dump(spec))
    over.write_text(f"services:\n  web: {{ports: {ports}}}\n")
    return file, over


def text(chance: random.Random, length: int | None = None) -> str:
    """Words that the models know, of one of LENGTHS."""
    words = TEXT.split()
    length = (length or chance.choices(LENGTHS, WEIGHTS)[0]) - 12  # what the theme's question adds
    return " ".join(words[at % len(words)] for at in range(max(4, length)))


def load(url: str, seconds: float, length: int | None = None) -> dict[str, Any]:
    """The closed loop; what had begun when the time was over is waited for and counts. ``length``: of all texts."""
    times: list[float] = []
    statuses: Counter[str] = Counter()
    guard, chance = threading.Lock(), random.Random(SEED)
    end = time.monotonic() + seconds

    def ask() -> None:
        with httpx.Client(timeout=1300, trust_env=False) as client:
            while time.monotonic() < end:
                with guard:
                    body = {"text": text(chance, length)}
                began = time.monotonic()
                try:
                    status = str(client.post(f"{url}/analyze", json=body).status_code)
                except httpx.HTTPError as error:
                    status = type(error).__name__
                with guard:
                    times.append(time.monotonic() - began)
                    statuses[status] += 1

    began = time.monotonic()
    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    times.sort()
    return {
        "seconds": round(took, 1),
        "answers": dict(statuses),
        "requests_per_s": round(statuses["200"] / took, 3),
        "p50_s": round(times[len(times) // 2], 2),
        "p95_s": round(times[int(0.95 * (len(times) - 1))], 2),
    }


def counters(container: str) -> dict[str, int]:
    """Kills for memory and the peak, of the container's cgroup (v1 or v2)."""
    identity = said("docker", "inspect", "--format", "{{.Id}}", container).strip()
    for folder, kills, peak in (
        (Path("/sys/fs/cgroup/memory/docker") / identity, "memory.oom_control", "memory.max_usage_in_bytes"),
        (Path("/sys/fs/cgroup/system.slice") / f"docker-{identity}.scope", "memory.events", "memory.peak"),
    ):
        if (folder / kills).exists():
            lines = dict(line.split()[:2] for line in (folder / kills).read_text().splitlines())
            return {"oom_kills": int(lines["oom_kill"]), "usage_peak_mib": int((folder / peak).read_text()) // 1024**2}
    raise FileNotFoundError("this engine's memory cgroup")


def run(work: Path, kind: str, limit: str, seconds: float) -> dict[str, Any]:
    """One side under one limit. A stop of the bench takes its containers away, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    file, over = override(work, kind, limit)
    project = f"mlpack-bench-moderation-{kind}"
    compose = ("docker", "compose", "--project-name", project, "--file", str(file), "--file", str(over))
    try:
        began = time.monotonic()
        said(*compose, "up", "--detach", "--no-build", cwd=file.parent)
        url = f"http://127.0.0.1:{said(*compose, 'port', 'web', str(PORT), cwd=file.parent).rpartition(':')[2].strip()}"
        container = said(*compose, "ps", "--quiet", "web", cwd=file.parent).strip()
        ready(url)
        started = time.monotonic() - began
        warm = load(url, WARM_S, LENGTHS[0])
        found = load(url, seconds)
        logs = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
        lost = (logs.stdout + logs.stderr).count("SIGKILL")
        limits = json.loads(said("docker", "inspect", "--format", "{{json .HostConfig}}", container))
        return {
            "kind": kind,
            "budget": limit,
            "memory_limit_mib": limits["Memory"] // 1024**2,
            "cpus": limits["NanoCpus"] / 1e9,
            "clients": CLIENTS,
            "ready_s": round(started, 1),
            **found,
            **counters(container),
            "workers_killed": lost,
            "warm": warm["answers"],
        }
    finally:
        said(*compose, "down", "--volumes", "--timeout", "10", cwd=file.parent)


def ready(url: str) -> None:
    """Until /health says 200. Raises TimeoutError."""
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/health", timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.5)
    raise TimeoutError("it never answered")


def keep(work: Path, found: dict[str, Any] | None) -> None:
    """Into result.json, with the plans that ``work`` has and the versions; None: only these."""
    file = HERE / "result.json"
    result = json.loads(file.read_text()) if file.exists() else {"runs": []}
    if found is not None:
        same = (found["kind"], found["budget"])
        result["runs"] = [one for one in result["runs"] if (one["kind"], one["budget"]) != same] + [found]
        result["runs"].sort(key=lambda one: (one["kind"], len(one["budget"]), one["budget"]))
    result["plans"] = {}
    for limit, profile in PROFILES.items():
        web = json.loads((work / "deploy" / profile / "mlpack.lock").read_text())["plan"]["services"]["web"]
        result["plans"][limit] = {
            key: web[key]["value"] for key in ("workers", "threads", "concurrency", "preload")
        } | {"limit_mib": web["memory"]["limit_bytes"]["value"] // 1024**2}
    worker = json.loads((work / "footprint.json").read_text())["services"]["web"]
    mib = {region["name"]: round(region["bytes"] / 1024**2, 1) for region in worker["regions"]}
    result["worker"] = {"regions_mib": mib, "load_s": worker["load_s"], "request_s": worker["request_s"]}
    result["hand_made"] = yaml.safe_load(BEFORE.read_text())["services"]["web"]["command"].strip()
    result["lengths"] = dict(zip(map(str, LENGTHS), WEIGHTS, strict=True))
    result["requirements"] = [
        line for line in (EXAMPLE / "requirements.txt").read_text().splitlines() if not line.startswith("#")
    ]
    result["cores"] = len(os.sched_getaffinity(0))
    file.write_text(json.dumps(result, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("prepare", "plans", "run"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--python", type=Path)
    parser.add_argument("--kind", choices=("mlpack", "hand"))
    parser.add_argument("--limit", choices=tuple(PROFILES))
    parser.add_argument("--seconds", type=float, default=300.0)
    asked = parser.parse_args()
    if asked.what == "prepare":
        prepare(asked.work, asked.python)
    if asked.what in ("prepare", "plans"):
        keep(asked.work, None)
        return
    found = run(asked.work.resolve(), asked.kind, asked.limit, asked.seconds)
    print(json.dumps(found, indent=2))
    keep(asked.work, found)


if __name__ == "__main__":
    main()
