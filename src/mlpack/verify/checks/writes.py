"""Does nothing write outside of volumes? What is written to the container itself goes with it, and fills the disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

from mlpack.launchers import engine
from mlpack.launchers.base import LauncherName
from mlpack.verify.run import Answer, Run

NAME = "writes"
NEEDS = ("starts",)
ENGINES_OWN = (
    *("/dev", "/proc", "/sys", "/run", "/.dockerenv", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/etc/mtab"),
    *("/sbin/docker-init", "/usr/sbin/docker-init", "/dev/init", "/usr/libexec/podman/catatonit"),
)
"""What engines put into every container: device files, names, and the init that is asked for."""
SHOWN = 5


def applies(launcher: LauncherName) -> bool:
    """Containers only: local processes see this machine's files."""
    return launcher == "compose"


def check(run: Run) -> Answer:
    """Ask the engine what differs from the image in each container, the mounts left out."""
    evidence: list[str] = []
    wrong: list[str] = []
    allowed: list[str] = []
    for instance in run.instances:
        assert instance.container is not None
        found = engine.inspect(instance.container, run.environ)
        if found is None:
            continue
        if found["HostConfig"].get("ReadonlyRootfs"):
            evidence.append(f"{instance.name}: its file system is read-only")
            continue
        done = engine.docker(("diff", instance.container), run.environ)
        paths = written(done.stdout.splitlines(), mounts_of(found))
        if not paths:
            evidence.append(f"{instance.name}: wrote nothing outside of its volumes")
            continue
        more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
        line = f"{instance.name}: writes outside of its volumes: {', '.join(paths[:SHOWN])}{more}"
        (wrong if run.plan.spec.settings.read_only else allowed).append(line)
    if wrong:
        hint = "name the folders as volumes, or turn it off; rendered services are read-only: is there an override?"
        return Answer("failed", wrong[0], (*wrong[1:], *evidence), hint, kind="writes-outside")
    if allowed:
        said = "settings.read_only: false allows it"
        return Answer("passed", f"{allowed[0]} ({said})", (*allowed[1:], *evidence))
    return Answer("passed", "nothing is written outside of volumes", tuple(evidence))


def mounts_of(container: dict[str, Any]) -> tuple[str, ...]:
    """Where volumes, binds and memory file systems are mounted."""
    tmpfs = container["HostConfig"].get("Tmpfs") or {}
    return (*(mount["Destination"] for mount in container.get("Mounts") or ()), *tmpfs)


def written(lines: Iterable[str], mounts: Sequence[str]) -> tuple[str, ...]:
    """Paths of `docker diff` (``A /path``) that a program wrote: not mount points, their parents, or the engine's own
    files, and not folders that changed only because something in them did. Pure."""
    paths = [PurePosixPath(line[2:]) for line in lines if line[:2] in ("A ", "C ", "D ")]
    inner = {parent for path in paths for parent in path.parents}
    skipped = [PurePosixPath(mount) for mount in (*mounts, *ENGINES_OWN)]

    def counts(path: PurePosixPath) -> bool:
        above = any(mount.is_relative_to(path) for mount in skipped)
        return path not in inner and not above and not any(path.is_relative_to(mount) for mount in skipped)

    return tuple(str(path) for path in paths if counts(path))
