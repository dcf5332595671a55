"""What an inference runtime variant is: one module per library that runs a model, with these three members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from mlpack.footprint import Region
from mlpack.model import ModelInfo
from mlpack.plan import Decided
from mlpack.spec import Model, RuntimeName


@dataclass(frozen=True)
class RuntimeFacts:
    """What is true of the library on a CPU, whatever the model."""

    name: RuntimeName
    packages: tuple[str, ...]
    """Distributions that reveal it in requirements."""
    modules: tuple[str, ...]
    """What a program that uses it imports; a measurement imports them apart from the app."""
    formats: tuple[str, ...]
    """Model formats (names in ``formats/``) that it can serve."""
    pool: Literal["openmp", "pool", "none"]
    """``openmp``: every request thread gets a team of its own. ``pool``: one pool per process."""
    fork_safe: Literal["yes", "unproven", "no"]
    """Forking after the model is loaded: ``no`` blocks preload, ``unproven`` needs a measured proof."""
    import_anonymous_bytes: int
    import_mapped_bytes: int
    """Interpreter and libraries after import, beyond nothing: a bare interpreter is included."""
    import_mapped_lower_bytes: int
    """The least that was seen in use while serving."""
    import_s: float
    unshared_bytes: int | None
    """What a child forked after load adds by copy-on-write, where it was measured."""
    source: str


@dataclass(frozen=True)
class Sized:
    """One model in one process: its load and serve regions (import excluded), and the times of load and one request."""

    regions: tuple[Region, ...]
    load_s: float
    request_s: float
    widened: tuple[str, ...] = ()


class Runtime(Protocol):
    """A module of ``runtimes/``. Pure."""

    @property
    def FACTS(self) -> RuntimeFacts:  # noqa: N802 - a module's constant
        """The library's facts."""

    def size(self, name: str, model: Model, info: ModelInfo) -> Sized:
        """Estimate model ``name`` from its header and largest input; widens and says why where it must."""

    def environment(self, threads: int, *, shared_cores: bool) -> dict[str, Decided[str]]:
        """Variables that give this library ``threads`` threads; ``shared_cores``: several processes share the cores."""
