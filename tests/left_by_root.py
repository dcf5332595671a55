"""A folder as a program that ran as root leaves it, with traps in it, and who must own what afterwards."""

from __future__ import annotations

import os
from pathlib import Path

ROOT, OTHER = 0, 1234
GIVEN = (
    "app.log",
    "nested/deep/app.log",
    "with space",
    "-R",
    "--reference=.",
    "new\nline",
    "*",
    "{}",
    "$HOME",
    "closed/app.log",
    "weights.txt",
    "weeghts/m.bin",  # what we?ghts would be, were it a pattern
)
"""Root's files in the folder that change hands."""
KEPT = ("weights/m.bin", "we?ghts/m.bin", "deploy/prod/secrets/key")
"""Those that are read-only or not for containers."""


def make(folder: Path, outside: Path, uid: int) -> dict[Path, int]:
    """Fills ``folder`` and ``outside``; every path, and its owner when all is done as it should be."""
    wanted: dict[Path, int] = {}
    for name in (*GIVEN, *KEPT):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        wanted |= {path: uid if name in GIVEN else ROOT}
    for name in ("nested", "nested/deep"):
        wanted[folder / name] = uid
    closed = folder / "closed"  # given away at an earlier start, and open to nobody else
    os.chown(closed, uid, uid)
    closed.chmod(0o700)
    others = folder / "others.csv"
    others.write_text("")
    os.chown(others, OTHER, OTHER)
    wanted |= {closed: uid, others: OTHER}

    (outside / "inner").mkdir(parents=True)
    (outside / "inner" / "file").write_text("")
    (outside / "file").write_text("")
    for name in ("inner", "file", "inner/file"):
        wanted[outside / name] = ROOT
    (folder / "link").symlink_to(outside / "file")
    (folder / "linked").symlink_to(outside / "inner")
    (folder / "up").symlink_to("../" + outside.name)
    (folder / "two names").hardlink_to(outside / "file")
    os.mkfifo(folder / "pipe")
    os.mknod(folder / "device", 0o600 | 0o020000, os.makedev(1, 3))
    return wanted | dict.fromkeys((folder / name for name in ("link", "linked", "up", "pipe", "device")), ROOT)


def mistaken(wanted: dict[Path, int]) -> dict[str, tuple[int, int]]:
    """Paths whose owner is another than wanted: wanted and found."""
    found = {path: path.lstat().st_uid for path in wanted}
    return {str(path): (uid, found[path]) for path, uid in wanted.items() if found[path] != uid}
