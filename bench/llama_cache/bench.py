"""llama.cpp's own count of its key/value cache, for models with the layers, heads and windows of published ones.

    python -m bench.llama_cache.bench

Runs in an environment with xllamacpp (llama.cpp's server as a module), gguf and numpy; no weights are fetched: ggufs.py
makes a file of each model with next to none. The truth is what llama.cpp logs when it has allocated ("llama_kv_cache:
size = ..."). mlpack's numbers are worked out by the test that reads result.json (tests/runtimes/test_kv_cache.py).
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.llama_cache.ggufs import SHAPES, VOCABULARY, Shape, width_of, write

HERE = Path(__file__).resolve().parent
TOKENS = (1024, 8192)
TYPES = ("f16", "q8_0", "q4_0")
REPORTED = re.compile(r"llama_kv_cache: size = +([0-9.]+) MiB \( *(\d+) cells, +(\d+) layers")
STARTED = "llama.cpp has started"
MIB = 2**20


def start(path: str, tokens: int, kind: str, *, whole: bool) -> None:
    """Start llama.cpp's server on ``path`` in this process, and end the process: stopping a server may hang."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_ctx = tokens
    params.n_parallel = 1
    params.warmup = False
    params.verbosity = 4
    params.swa_full = whole
    for side in ("cache_type_k", "cache_type_v"):
        setattr(params, side, getattr(xllamacpp.ggml_type, f"GGML_TYPE_{kind.upper()}"))
    server = xllamacpp.Server(params)
    print(STARTED, bool(server), flush=True)
    os._exit(0)


def reported(path: Path, tokens: int, kind: str, *, whole: bool) -> dict[str, Any]:
    """What llama.cpp says of its cache: bytes, and the cells and layers of each part. Raises where it did not start."""
    words = [sys.executable, "-m", "bench.llama_cache.bench", "--start", str(path), str(tokens), kind, str(int(whole))]
    said = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, cwd=HERE.parents[1])
    text = said.stdout + said.stderr
    parts = REPORTED.findall(text)
    if STARTED not in text or not parts:
        raise RuntimeError(f"{path.name} did not start: {text[-2000:]}")
    return {
        "bytes": round(sum(float(size) for size, _, _ in parts) * MIB),
        "parts": [{"cells": int(cells), "layers": int(layers)} for _, cells, layers in parts],
    }


def metadata(shape: Shape) -> dict[str, Any]:
    """What the file says of its architecture, as mlpack's reader keeps it."""
    numbers = {
        "embedding_length": width_of(shape),
        "block_count": shape.layers,
        "attention.head_count": shape.heads,
        "attention.head_count_kv": shape.kv_heads,
        "attention.key_length": shape.head_dim,
        "attention.value_length": shape.head_dim,
        "rope.dimension_count": shape.head_dim,
        "context_length": shape.context,
        "vocab_size": VOCABULARY,
        **shape.extra,
    }
    named = {f"{shape.architecture}.{key}": value for key, value in numbers.items()}
    return {"general.architecture": shape.architecture, **named}


def main() -> None:
    """Every shape at every length, with windows kept as windows and in whole, in every type it starts with."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, shape in SHAPES.items():
            path = Path(folder) / f"{name}.gguf"
            write(path, shape)
            rows = []
            for tokens in TOKENS:
                for whole in (False, True):
                    for kind in TYPES:
                        row = {"tokens": tokens, "type": kind, "whole": whole}
                        rows.append({**row, **reported(path, tokens, kind, whole=whole)})
                        print(name, rows[-1])
            found[name] = {"of": shape.of, "metadata": metadata(shape), "rows": rows}
            path.unlink()
    result = {
        "versions": {"xllamacpp": version("xllamacpp"), "gguf": version("gguf"), "python": platform.python_version()},
        "models": found,
    }
    (HERE / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--start"]:
        start(sys.argv[2], int(sys.argv[3]), sys.argv[4], whole=sys.argv[5] == "1")
    else:
        main()
