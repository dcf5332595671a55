"""From a cause to the change of mlpack.yaml that mends it, where one does. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from mlpack.host import HostFacts
from mlpack.plan import Plan, ServicePlan
from mlpack.report import Patch
from mlpack.units import MIB, ceil_mib
from mlpack.verify.cause import Cause

MORE_MEMORY = 1.5
"""A killed service says only that it wanted more than its limit; the next run measures how much."""
MORE_TIME = 2
DEBIAN: dict[str, str] = {
    "libGL.so.1": "libgl1",
    "libSM.so.6": "libsm6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXrender.so.1": "libxrender1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgomp.so.1": "libgomp1",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libmagic.so.1": "libmagic1",
    "libopenblas.so.0": "libopenblas0",
    "libpq.so.5": "libpq5",
    "libsndfile.so.1": "libsndfile1",
    "libxml2.so.2": "libxml2",
    "libxslt.so.1": "libxslt1.1",
}
"""Shared libraries that Python packages expect of the system -> Debian 12's package of each."""
PLATFORMS = {"x86_64": "linux/amd64", "aarch64": "linux/arm64", "arm64": "linux/arm64"}
SYSTEMS = ("/bin", "/dev", "/etc", "/lib", "/proc", "/run", "/sys", "/usr")
"""What belongs to the image or the kernel: no volume goes there."""


@dataclass(frozen=True)
class Case:
    """What a remedy looks at."""

    cause: Cause
    plan: Plan
    name: str
    host: HostFacts

    @property
    def service(self) -> ServicePlan:
        """The ill service's plan."""
        return self.plan.services[self.name]

    def key(self, rest: str) -> str:
        """``services.<name>.<rest>``."""
        return f"services.{self.name}.{rest}"


def remedies(cause: Cause, plan: Plan, name: str, host: HostFacts) -> tuple[Patch, ...]:
    """Patches for service ``name``; empty where mlpack.yaml is not the place to mend it."""
    find = REMEDIES.get(cause.kind or "")
    return () if find is None or name not in plan.services else tuple(find(Case(cause, plan, name, host)))


def more_memory(case: Case) -> Iterable[Patch]:
    """A higher limit where the budget has room; else the same limit for one worker less."""
    service = case.service
    limit = service.memory.limit_bytes.value
    wanted = ceil_mib(MORE_MEMORY * limit)
    room = case.plan.budget.usable_bytes.value - case.plan.budget.used_bytes
    before = f"{limit // MIB}M"
    if (wanted - limit) * service.replicas.value <= room:
        yield Patch(
            path=case.key("memory"),
            before=before,
            after=f"{wanted // MIB}M",
            reason=f"processes were killed at {before}; half as much again, to be measured by the next run",
        )
        return
    if service.workers.value > 1:
        fewer = service.workers.value - 1
        yield Patch(
            path=case.key("workers"),
            before=str(service.workers.value),
            after=fewer,
            reason=f"processes were killed at {before}, and this machine has no more to give",
        )
        yield Patch(path=case.key("memory"), before=before, after=before, reason="the same limit for fewer workers")


def more_time(case: Case) -> Iterable[Patch]:
    """Twice the time that one request may take: everything outside of it follows."""
    now_s = case.service.times.request_s.value
    reason = "the server killed workers that took longer: twice the time, if the request is meant to take so long"
    yield Patch(path=case.key("timeout"), before=f"{now_s:g}s", after=f"{MORE_TIME * now_s:g}s", reason=reason)


def system_package(case: Case) -> Iterable[Patch]:
    """The Debian package that holds the missing library."""
    package = DEBIAN.get(case.cause.detail or "")
    if package is None:
        return
    own = case.plan.spec.services[case.name].build
    build, path = (own, case.key("build.apt")) if own is not None else (case.plan.spec.build, "build.apt")
    if package not in build.apt:
        before = f"[{', '.join(build.apt)}]" if build.apt else None
        reason = f"{package} holds {case.cause.detail}, which a library could not find"
        yield Patch(path=path, before=before, after=(*build.apt, package), reason=reason)


def platform(case: Case) -> Iterable[Patch]:
    """The platform of the machine that it is to run on."""
    wanted = PLATFORMS.get(case.host.cpu.architecture)
    now = case.plan.spec.build.platform
    if wanted is not None and wanted != now:
        reason = f"the image cannot run on this machine's processor ({case.host.cpu.architecture})"
        yield Patch(path="build.platform", before=now, after=wanted, reason=reason)


def a_volume(case: Case) -> Iterable[Patch]:
    """A volume where the app writes."""
    path = PurePosixPath(case.cause.detail or "/")
    folder = path.parent if path.suffix else path
    root = PurePosixPath(case.plan.spec.root_path)
    if not folder.is_absolute() or folder in (root, *root.parents) or folder.is_relative_to("/tmp"):
        return
    if any(folder.is_relative_to(system) for system in SYSTEMS):
        return
    name = "".join(c if c.isalnum() else "-" for c in folder.name.lower()).strip("-") or "data"
    name = name if name[0].isalpha() else f"data-{name}"
    if name in case.plan.spec.volumes:
        return
    now = case.plan.spec.services[case.name].volumes
    yield Patch(path=f"volumes.{name}.mount", before=None, after=str(folder), reason=f"the app writes to {path}")
    yield Patch(
        path=case.key("volumes"),
        before=f"[{', '.join(now)}]" if now else None,
        after=(*now, name),
        reason="what it writes there outlives the container",
    )


def no_preload(case: Case) -> Iterable[Patch]:
    """Workers that load for themselves inherit no lock."""
    if case.service.preload.value:
        reason = "a lock was held when the workers were forked, and nobody in them will ever free it"
        yield Patch(path=case.key("preload"), before="true", after=False, reason=reason)


REMEDIES: dict[str, Callable[[Case], Iterable[Patch]]] = {
    "oom": more_memory,
    "timeout-kill": more_time,
    "missing-library": system_package,
    "architecture": platform,
    "read-only": a_volume,
    "no-permission": a_volume,
    "disk-full": a_volume,
    "fork-deadlock": no_preload,
}
"""Kind of cause -> its remedy. Kinds that are not here are mended in the app or its requirements: the hint says so."""
