"""Fuzzes every model reader: 20,000 damaged real files of each format, each reader in a process under limits.

    python bench/fuzz/bench.py [--inputs 20000] [--seed 0] [--formats pytorch,onnx] [--at-once 2]

What counts: no crash, no hang (2 s an input), no more than 64 MiB beyond what the process begins with (RLIMIT_AS), and
nothing opened outside of the model's folder, imported by a pickle, or run (audit hook). Writes result.json beside this
file, where rows of formats that were left out stay as they are; the exit status is 1 where anything went wrong. A
failing input is found again by its seed and number.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
FORMATS = (
    "safetensors",
    "transformers",
    "gguf",
    "pytorch",
    "onnx",
    "savedmodel",
    "checkpoint",
    "keras",
    "hdf5",
    "joblib",
    "pickle",
    "lightgbm",
    "xgboost",
)
COLUMNS = ("inputs", "read", "refused", "messages")
KINDS = ("crash", "hang", "memory", "outside", "nonsense")


def run(name: str, inputs: int, seed: int) -> dict[str, Any]:
    """The outcome of one format; a process that dies is a crash of its own."""
    argv = [sys.executable, "-m", "tests.formats.fuzzing", name, str(inputs), str(seed)]
    environment = os.environ | {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'src'}"}
    start = time.perf_counter()
    done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=REPOSITORY, env=environment)
    if done.returncode:
        dead = {"format": name, **dict.fromkeys(COLUMNS, 0), "slowest_s": 0.0, "peak_bytes": 0}
        return dead | {"wrong": {"crash": 1}, "examples": [done.stderr[-500:]], "seconds": time.perf_counter() - start}
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"seconds": round(time.perf_counter() - start, 1)}


def row(found: dict[str, Any]) -> str:
    """One line of the table."""
    counts = " ".join(f"{found[name]:>8,}" for name in COLUMNS)
    wrong = " ".join(f"{found['wrong'].get(kind, 0):>8}" for kind in KINDS)
    return (
        f"{found['format']:<12} {counts} {wrong} {found['slowest_s'] * 1000:>9.0f} {found['peak_bytes'] / 2**20:>9.1f}"
    )


def main() -> int:
    """Run the formats and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=20_000, help="of each format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--at-once", type=int, default=2)
    chosen = parser.parse_args()
    head = " ".join(f"{name:>8}" for name in (*COLUMNS, *KINDS))
    print(f"{'format':<12} {head} {'slow ms':>9} {'more MiB':>9}")
    rows = []
    with ThreadPoolExecutor(chosen.at_once) as pool:
        for found in pool.map(lambda name: run(name, chosen.inputs, chosen.seed), chosen.formats.split(",")):
            rows.append(found)
            print(row(found), flush=True)
            for example in found["examples"]:
                print(f"    {example}")
    file = HERE / "result.json"
    same: dict[str, Any] = {"inputs": chosen.inputs, "seed": chosen.seed}
    about = json.loads(file.read_text()) if file.exists() else {}
    kept = about.get("rows", []) if {name: about.get(name) for name in same} == same else []
    all_ = {row["format"]: row for row in (*kept, *rows)}
    same |= {"python": platform.python_version(), "rows": [all_[name] for name in FORMATS if name in all_]}
    file.write_text(json.dumps(same, indent=1) + "\n")
    return 1 if any(found["wrong"] for found in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
