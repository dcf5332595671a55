"""Builds stand-ins for official images that are not here: see images/README.md."""

from __future__ import annotations

import os
from pathlib import Path

from mlpack.launchers.this_machine import host_network
from mlpack.process import run

IMAGES = Path(__file__).parent / "images"
APP = "mlpack-stand-in-app"
NAMES = {
    "redis": "redis:7-alpine",
    "postgres": "postgres:17-alpine",
    "nginx": "nginx:1.31-alpine",
    "caddy": "caddy:2-alpine",
    "llama": "ghcr.io/ggml-org/llama.cpp:server",
    "flower": "mher/flower:2.0",
    "app": APP,
}
"""Stage of the Dockerfile -> name of the image."""


def provide(*stages: str) -> None:
    """Each image of ``stages`` is here afterwards: official ones stay, ours follow their recipe."""
    arguments = [f"--build-arg={name}={text}" for name, text in host_network(dict(os.environ)).args.items()]
    for stage in stages:
        label = '{{with index .Config.Labels "mlpack.stand-in"}}ours{{else}}official{{end}}'
        found = run(["docker", "image", "inspect", "--format", label, NAMES[stage]], check=False)
        if found.code == 0 and found.stdout.strip() == "official":
            continue
        words = ["docker", "build", "--quiet", "--label", "mlpack.stand-in=yes", "--target", stage]
        run([*words, "--tag", NAMES[stage], *arguments, str(IMAGES)], timeout_s=600)
