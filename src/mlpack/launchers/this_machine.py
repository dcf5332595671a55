"""Reads this machine's way to its packages (environment, pip's settings) for a build."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from mlpack.errors import MlpackError
from mlpack.launchers.pip_settings import BuildNetwork, build_network, parse_config
from mlpack.process import run


def host_network(environ: Mapping[str, str]) -> BuildNetwork:
    """What a build must be told here. A machine without pip has only its environment."""
    config = parse_config(_pip_config(environ))
    links = (environ.get("PIP_FIND_LINKS") or config.get("find-links", "")).split()
    return build_network(environ, config, {link: Path(link).is_dir() for link in links})


def _pip_config(environ: Mapping[str, str]) -> str:
    for argv in ((sys.executable, "-m", "pip", "config", "list"), ("pip", "config", "list")):
        try:
            done = run(argv, env=environ, timeout_s=30, check=False)
        except MlpackError:
            continue  # no such program
        if done.code == 0:
            return done.stdout
    return ""
