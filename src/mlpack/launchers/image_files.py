"""Where an image's own files lie on this machine, so that they can be dropped from the page cache before a run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlpack.launchers.engine import docker


def image_folders(images: Sequence[str], environ: Mapping[str, str]) -> tuple[tuple[Path, ...], str | None]:
    """The layers of ``images`` as folders, and why there are none where they cannot be read from here."""
    folders: dict[Path, None] = {}
    present = False
    for name in images:
        answer = docker(("image", "inspect", name), environ)
        if answer.code != 0:
            continue  # not pulled yet: nothing of it was used before
        present = True
        for path in layer_paths(json.loads(answer.stdout)[0].get("GraphDriver") or {}):
            folders[path] = None
    if not present:
        return (), None
    if not folders:
        return (), "the engine's image store does not tell where layers are on disk"
    unread = [path for path in folders if not os.access(path, os.R_OK | os.X_OK)]
    if unread:
        return (), f"image layers cannot be read from here ({unread[0]}): the engine is elsewhere, or this is not root"
    return tuple(folders), None


def layer_paths(driver: Mapping[str, object]) -> tuple[Path, ...]:
    """Layer folders of an inspected image's GraphDriver, topmost first; empty for drivers without folders."""
    data = driver.get("Data")
    if not isinstance(data, dict):
        return ()
    words = [data.get("UpperDir") or "", *str(data.get("LowerDir") or "").split(":")]
    return tuple(Path(word) for word in words if word)
