"""Versions of the docker command's plugins, asked of the plugin itself: a tenth of the time that ``docker`` takes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from mlpack.errors import MlpackError
from mlpack.probe.json_fields import parse_object, text_field
from mlpack.process import run

FOLDERS = (  # docker/cli, cli-plugins/manager/manager_unix.go, in its order
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)

QUICK = {"GOGC": "off", "GOMAXPROCS": "1"}
"""For a Go program that prints one line: no collector and one thread take a fifth off its start (measured)."""


def find_plugin(name: str, folders: Iterable[Path]) -> Path | None:
    """The first ``docker-<name>`` in ``folders``: the user's own come before the system's."""
    paths = (folder / f"docker-{name}" for folder in folders)
    return next((path for path in paths if path.is_file()), None)


def ask_plugin(path: Path, timeout_s: float) -> str | None:
    """The version that the plugin at ``path`` reports; None when it does not run or says something else."""
    try:
        said = run((str(path), "docker-cli-plugin-metadata"), env={**os.environ, **QUICK}, timeout_s=timeout_s)
    except (MlpackError, OSError):
        return None
    return parse_metadata(said.stdout)


def parse_metadata(text: str) -> str | None:
    """The version in a plugin's metadata, which every plugin must print (docker/cli, cli-plugins/metadata)."""
    version = text_field(parse_object(text), "Version")
    return version.removeprefix("v") if version else None
