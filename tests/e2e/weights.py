"""Weights of an example, made in its own image: no second environment with its framework is set up for that."""

from __future__ import annotations

import os
from pathlib import Path

from mlpack.launchers.this_machine import host_network
from mlpack.process import run


def built(root: Path, folder: str, image: str) -> None:
    """``image`` from the Dockerfile in ``root``/deploy/``folder``."""
    network = host_network(dict(os.environ))
    words = ["docker", "build", "--quiet", "--file", str(root / "deploy" / folder / "Dockerfile"), "--tag", image]
    words += [f"--build-arg={key}={text}" for key, text in network.args.items()]
    words += ["--build-context", f"wheels={network.wheels}"] if network.wheels else []
    run([*words, str(root)], timeout_s=1800)


def made_in_image(root: Path, image: str, name: str, script: str) -> None:
    """Run ``script`` in ``image`` without a network; it fills ``root``/weights."""
    (root / "weights").mkdir(exist_ok=True)
    mount = f"{root}/weights:/opt/{name}/weights"
    made = ["docker", "run", "--rm", "--network", "none", "--user", "0", "--volume", mount, image]
    run([*made, "python", script], timeout_s=300)
