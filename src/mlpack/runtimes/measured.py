"""What importing each library costs, from ``measured.json``: measured numbers, each with versions and source."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from pydantic import TypeAdapter

from mlpack.noun import Noun
from mlpack.units import MIB


class ImportCost(Noun):
    """One row of ``measured.json``. A library's row includes the bare interpreter."""

    versions: str
    anonymous_mib: float
    mapped_mib: tuple[float, float]
    """Mapped pages that serving needs: the least that was in use, and the most with a quarter of those touched once."""
    import_s: float
    """With a cold page cache on one core, rounded up: it bounds a start period, it promises nothing."""
    unshared_mib: float | None
    source: str

    @property
    def anonymous_bytes(self) -> int:
        """Anonymous memory after import, in bytes."""
        return round(self.anonymous_mib * MIB)

    @property
    def mapped_lower_bytes(self) -> int:
        """The least mapped memory that was seen in use, in bytes."""
        return round(self.mapped_mib[0] * MIB)

    @property
    def mapped_bytes(self) -> int:
        """The most mapped memory that was seen in use, in bytes."""
        return round(self.mapped_mib[1] * MIB)

    @property
    def unshared_bytes(self) -> int | None:
        """Copy-on-write of one child forked after load, in bytes; None where not measured."""
        return None if self.unshared_mib is None else round(self.unshared_mib * MIB)


class MeasuredFile(Noun):
    """``measured.json`` as a whole: a row per library beside the bare interpreter's."""

    about: str
    machine: str
    bare_python: ImportCost
    torch: ImportCost
    transformers: ImportCost
    tensorflow: ImportCost
    onnxruntime: ImportCost
    sklearn: ImportCost
    lightgbm: ImportCost
    xgboost: ImportCost
    llama_cpp: ImportCost


@cache
def measured() -> MeasuredFile:
    """The packaged table; part of the code, like a template."""
    text = files("mlpack.runtimes").joinpath("measured.json").read_text(encoding="utf-8")
    return TypeAdapter(MeasuredFile).validate_json(text)
