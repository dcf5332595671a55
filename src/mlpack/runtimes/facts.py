"""Puts a runtime's own facts and its measured import cost together."""

from __future__ import annotations

from typing import Literal

from mlpack.runtimes.base import RuntimeFacts
from mlpack.runtimes.measured import ImportCost
from mlpack.spec import RuntimeName


def facts(
    name: RuntimeName,
    cost: ImportCost,
    *,
    packages: tuple[str, ...],
    modules: tuple[str, ...],
    formats: tuple[str, ...],
    pool: Literal["openmp", "pool", "none"],
    fork_safe: Literal["yes", "unproven", "no"],
) -> RuntimeFacts:
    """RuntimeFacts of library ``name``, with bytes and source from its row of ``measured.json``."""
    return RuntimeFacts(
        name=name,
        packages=packages,
        modules=modules,
        formats=formats,
        pool=pool,
        fork_safe=fork_safe,
        import_anonymous_bytes=cost.anonymous_bytes,
        import_mapped_bytes=cost.mapped_bytes,
        import_mapped_lower_bytes=cost.mapped_lower_bytes,
        import_s=cost.import_s,
        unshared_bytes=cost.unshared_bytes,
        source=f"{cost.source} ({cost.versions})",
    )
