"""An image's files on this machine, for dropping them from the page cache; and images that a build replaced."""

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


def image_ids(images: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Name -> id of those of ``images`` that exist."""
    found = {name: docker(("image", "inspect", "--format", "{{.Id}}", name), environ) for name in images}
    return {name: answer.stdout.strip() for name, answer in found.items() if answer.code == 0}


def remove_replaced(before: Mapping[str, str], environ: Mapping[str, str]) -> None:
    """Remove images that ``before`` knew by a name which now is another image's; one in use or named otherwise stays.

    Verify's own images would pile up else, one for each change of the app.
    """
    now = image_ids(tuple(before), environ)
    for name, ident in before.items():
        if now.get(name, ident) != ident:
            docker(("image", "rm", ident), environ)  # refused where a container or another name needs it


def layer_paths(driver: Mapping[str, object]) -> tuple[Path, ...]:
    """Layer folders of an inspected image's GraphDriver, topmost first; empty for drivers without folders."""
    data = driver.get("Data")
    if not isinstance(data, dict):
        return ()
    words = [data.get("UpperDir") or "", *str(data.get("LowerDir") or "").split(":")]
    return tuple(Path(word) for word in words if word)
