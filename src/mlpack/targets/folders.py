"""Folders of the host that our containers or units write to: what root left in them is given to the one who writes.

`find` does it, by a rule as narrow as it can be: directories and files that root owns, files under one name only (a
hard link may lead out of the folder), on the same file system; no link is followed, no device, socket or pipe touched,
and what the project keeps there for itself is passed over. `-execdir` changes an entry from within its own directory,
so that a directory that is swapped for a link meanwhile leads nowhere. In a container nothing but these folders is
there to be led to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from posixpath import normpath

from mlpack.plan import Plan
from mlpack.servers.paths import deploy_folder, volume_path
from mlpack.targets.base import app_uid, containers
from mlpack.targets.compose_service import FOLDERS_SERVICE, from_project, volume_folder
from mlpack.targets.images import image_of, profile_suffix

_MOUNTED = ("-execdir", "mountpoint", "-q", "{}", ";")
"""find passes over what another file system holds, but not over its topmost folder."""
LEFT_BY_ROOT = ("-uid", "0", "(", "-type", "d", "!", *_MOUNTED, "-o", "-type", "f", "-links", "1", ")")
"""In find's words: what may change its owner."""
_GLOB = re.compile(r"[][*?\\]")


def folders_view(plan: Plan) -> Mapping[str, object] | None:
    """The service that prepares data folders of the host; None without such folders, or without an image to run it.

    Compose makes a missing folder as root, and containers run as another user (measured: they fail). Named volumes
    take their owner from the image and need none of this.
    """
    images = [image for name in containers(plan) if (image := image_of(plan, name))]
    found = {
        volume: folder
        for name in containers(plan)
        if image_of(plan, name)
        for volume in plan.spec.services[name].volumes
        if (folder := volume_folder(plan, volume)) is not None
    }
    if not images or not found:
        return None
    return {
        "name": FOLDERS_SERVICE,
        "image": images[0].reference,
        "argv": given_argv(plan, found),
        "mounts": [
            {"source": from_project(folder), "target": volume_path(plan.spec, volume)}
            for volume, folder in found.items()
        ],
        "labels": {"org.mlpack.project": plan.name, "org.mlpack.profiles": profile_suffix(plan)},
    }


def given_argv(plan: Plan, folders: Mapping[str, str]) -> tuple[str, ...]:
    """The command that gives ``folders`` (volume -> folder of the host), and what root left in them, to our user.

    The folders themselves change hands whoever has them; nothing is asked of a file system that has it right already.
    """
    at = {volume: "/" + normpath(volume_path(plan.spec, volume)).lstrip("/") for volume in folders}
    uid = str(app_uid(plan))
    tops = _any_of(path_words(path) for path in at.values())
    kept = [word for volume in folders for word in kept_words(plan, folders[volume], at[volume])]
    return (
        *("find", *at.values(), "-ignore_readdir_race", "-xdev", *kept),
        *("(", "(", *tops, ")", "(", "!", "-uid", uid, "-o", "!", "-gid", uid, ")", "-o", *LEFT_BY_ROOT, ")"),
        *("-execdir", "chown", "-h", f"{uid}:{uid}", "{}", "+"),
    )


def kept_words(plan: Plan, folder: str, at: str) -> tuple[str, ...]:
    """find's words that pass over what is not the writer's in ``folder``, which is seen at ``at``.

    That is weights, which are read-only, and the rendered files with their secrets.
    """
    top = _whole(plan, folder)
    models = [model.path for model in plan.spec.models.values() if model.path is not None]
    paths = sorted({_whole(plan, path) for path in (*models, deploy_folder(plan.profiles).partition("/")[0])})
    inside = [PurePosixPath(at) / path.relative_to(top) for path in paths if path.is_relative_to(top)]
    return tuple(word for path in inside for word in (*path_words(str(path)), "-prune", "-o"))


def path_words(path: str) -> tuple[str, str]:
    """find's test for ``path`` and no other: what its patterns would expand is escaped."""
    return ("-path", _GLOB.sub(r"\\\g<0>", path))


def _whole(plan: Plan, path: str) -> PurePosixPath:
    return PurePosixPath(normpath(f"{plan.spec.root_path}/{path}" if not path.startswith("/") else path))


def _any_of(tests: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(word for test in tests for word in ("-o", *test))[1:]
