"""Rows of the tables that the console shows: plain values, so that text and JSON come from the same place."""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.footprint import Footprint
from mlpack.model import ModelInfo


@dataclass(frozen=True)
class ModelRow:
    """One model: ``parameters`` None where the header does not tell; ``dtypes`` as (name, parameters, bytes)."""

    format: str
    parameters: int | None
    dtypes: tuple[tuple[str, int, int], ...]
    weights_bytes: int
    size_bytes: int
    mappable: bool
    architecture: str | None
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class RegionRow:
    """One region of a footprint."""

    name: str
    stage: str
    kind: str
    per: str
    bytes: int
    lower_bytes: int
    source: str
    because: str


def model_row(info: ModelInfo) -> ModelRow:
    """The row of one model."""
    architecture = info.architecture
    return ModelRow(
        format=info.format,
        parameters=info.parameters,
        dtypes=tuple((share.dtype, share.parameters, share.bytes) for share in info.dtypes),
        weights_bytes=info.weights_bytes,
        size_bytes=info.size_bytes,
        mappable=info.mappable,
        architecture=f"{architecture.name} ({architecture.family})" if architecture else None,
        unknown=info.unknown,
    )


def region_rows(footprint: Footprint) -> tuple[RegionRow, ...]:
    """The rows of one footprint, in the order in which memory comes into being."""
    order = {"import": 0, "load": 1, "serve": 2}
    return tuple(
        RegionRow(
            name=region.name,
            stage=region.stage,
            kind=region.kind,
            per=region.per,
            bytes=region.bytes,
            lower_bytes=region.lower_bytes,
            source=region.source,
            because=region.because,
        )
        for region in sorted(footprint.regions, key=lambda region: order[region.stage])
    )
