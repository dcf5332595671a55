"""Measures what importing each library costs one process, in the bench's image: the rows of runtimes/measured.json.

    python -m bench.footprint.imports

Each import runs in a fresh container; MiB, the median of five. The last column: what gunicorn's modules add to it
(estimate/imports.py), which share most of the standard library with a runtime's.
"""

from __future__ import annotations

import json
import statistics
import sys

from bench.footprint.engine import IMAGE, docker

PROGRAM = """
import json, re, sys, time
began = time.monotonic()
for name in sys.argv[1:]:
    __import__(name)
took = time.monotonic() - began
rollup = open("/proc/self/smaps_rollup").read()
size = {name: int(re.search(rf"^{name}: +(\\d+)", rollup, re.M).group(1)) / 1024 for name in ("Rss", "Anonymous")}
print(json.dumps([size["Anonymous"], size["Rss"] - size["Anonymous"], took]))
"""
ROUNDS = 5
IMPORTS = {
    "bare_python": ("trees", ()),
    "torch": ("torch", ("torch",)),
    "transformers": ("torch", ("torch", "transformers", "transformers.models.auto.modeling_auto")),
    "tensorflow": ("tensorflow", ("tensorflow",)),
    "onnxruntime": ("onnx", ("onnxruntime",)),
    "sklearn": ("trees", ("joblib", "sklearn.ensemble")),
    "lightgbm": ("trees", ("lightgbm",)),
    "xgboost": ("trees", ("xgboost",)),
    "llama_cpp": ("llama", ("xllamacpp",)),
}
GUNICORN = tuple(f"gunicorn.{name}" for name in ("app.wsgiapp", "arbiter", "glogging", "http", "workers.gthread"))


def imported(python: str, modules: tuple[str, ...]) -> list[float]:
    """Anonymous and mapped MiB, and seconds: medians."""
    rows = []
    for _ in range(ROUNDS):
        argv = [f"/opt/{python}/bin/python", "-c", PROGRAM, *modules]
        rows.append(json.loads(docker("run", "--rm", IMAGE, *argv).stdout.splitlines()[-1]))
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def main() -> int:
    """Print one line a library."""
    print(f"{'library':14} {'anonymous':>10} {'mapped':>8} {'seconds':>8} {'+ gunicorn':>11}")
    for library, (python, modules) in IMPORTS.items():
        anonymous, mapped, took = imported(python, modules)
        beside = imported(python, (*modules, *GUNICORN))[0] - anonymous
        print(f"{library:14} {anonymous:>10.1f} {mapped:>8.1f} {took:>8.2f} {beside:>11.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
