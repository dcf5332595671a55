"""macOS and Windows: memory and cores through psutil, the processor's name from the system. No /proc there."""

from __future__ import annotations

import sys
from typing import NamedTuple


class Desktop(NamedTuple):
    """What psutil says of a machine without /proc; bytes and core counts."""

    total_bytes: int
    available_bytes: int
    swap_total_bytes: int
    swap_free_bytes: int
    physical_cores: int | None
    logical_cores: int
    affinity_cores: int | None = None
    """Known on Windows only."""
    model: str | None = None


def read_desktop() -> Desktop:
    """Ask psutil, imported here as only these systems need it."""
    import psutil

    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    affinity = getattr(psutil.Process(), "cpu_affinity", None)
    return Desktop(
        total_bytes=memory.total,
        available_bytes=memory.available,
        swap_total_bytes=swap.total,
        swap_free_bytes=swap.free,
        physical_cores=psutil.cpu_count(logical=False),
        logical_cores=psutil.cpu_count(logical=True) or 1,
        affinity_cores=len(affinity()) if affinity else None,
        model=_processor(),
    )


def _processor() -> str | None:
    """The processor's marketing name: ``Apple M2``; None when the system does not tell."""
    if sys.platform == "win32":
        import platform

        return platform.processor() or None
    from mlpack.errors import MlpackError
    from mlpack.process import run

    try:
        said = run(("sysctl", "-n", "machdep.cpu.brand_string"), timeout_s=5)
    except MlpackError:
        return None
    return said.stdout.strip() or None
