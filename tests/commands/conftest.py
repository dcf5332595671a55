"""A small project with a real (tiny) safetensors model, and the command run as a user runs it."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SPEC = """\
name: tiny
build: {python: "3.11", requirements: requirements.txt}
models:
  net: {path: weights/net, runtime: transformers, max_input: {tokens: 128, batch: 4}}
services:
  web:
    server: gunicorn
    app: "app:app"
    interface: asgi
    endpoint: def
    port: 8000
    health: /health
    models: [net]
    env: {MODEL_DIR: {from: net.path}, TINY_CONCURRENCY: {from: web.concurrency}}
requests:
  ask: {to: web, post: /ask, json: {text: hello}, largest: true, expect: {json: {ok: true}}}
"""
CONFIG = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "hidden_size": 64,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "vocab_size": 1000,
}

Command = Callable[..., subprocess.CompletedProcess[str]]


def write_safetensors(path: Path, parameters: int) -> None:
    """One float32 tensor of ``parameters`` zeros."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [parameters], "data_offsets": [0, 4 * parameters]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4 * parameters))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that plans and renders."""
    root = tmp_path / "tiny"
    (root / "weights" / "net").mkdir(parents=True)
    (root / "mlpack.yaml").write_text(SPEC)
    (root / "requirements.txt").write_text("torch==2.13.0\ntransformers==5.23.0\nfastapi\ngunicorn==27.0.1\n")
    (root / "app.py").write_text("app = None\n")
    (root / "weights" / "net" / "config.json").write_text(json.dumps(CONFIG))
    write_safetensors(root / "weights" / "net" / "model.safetensors", 50_000)
    return root


@pytest.fixture
def mlpack(project: Path) -> Command:
    """Runs ``mlpack ...`` in the project; no engine is in reach, so that nothing depends on this machine's."""

    def command(*argv: str, cwd: Path = project, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mlpack", *argv],
            cwd=cwd,
            env={**os.environ, "DOCKER_HOST": "unix:///nonexistent/docker.sock", **environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return command
