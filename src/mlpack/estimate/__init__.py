"""Estimates from headers alone: the footprint of every service, or of a model file without any spec. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlpack.estimate.limit import Totals, limit_bytes, totals
from mlpack.estimate.path import PathEstimate, estimate_path
from mlpack.estimate.rows import ModelRow, RegionRow, model_row, region_rows
from mlpack.footprint import Footprint
from mlpack.model import ModelInfo
from mlpack.spec import Spec

__all__ = [
    "ModelRow",
    "PathEstimate",
    "RegionRow",
    "Totals",
    "estimate",
    "estimate_path",
    "limit_bytes",
    "model_row",
    "region_rows",
    "totals",
]


def estimate(
    spec: Spec, infos: Mapping[str, ModelInfo], requirements: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Footprint]:
    """One process of every service of ``spec``, estimated from its models' headers and packaged measurements.

    ``infos``: model name -> what its header says. ``requirements``: service name -> requirements lines, where known.
    Raises SpecError where a model's runtime is ambiguous or its info is missing.
    """
    from mlpack.estimate.service import estimate_service  # with all servers, which a model file alone does not need

    known = requirements or {}
    return {name: estimate_service(spec, name, infos, known.get(name)) for name in spec.services}
