"""Which runtime serves a model: exactly one by format and requirements, or an error that names the candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlpack.errors import SpecError
from mlpack.model import ModelInfo
from mlpack.runtimes.base import Runtime
from mlpack.runtimes.libraries import distributions
from mlpack.spec import Model, RuntimeName


def candidates(
    runtimes: Mapping[RuntimeName, Runtime], info: ModelInfo, requirements: Sequence[str] | None
) -> tuple[RuntimeName, ...]:
    """Runtimes that can serve ``info``'s format and, where requirements are known, are among them.

    A transformers folder is served by transformers wherever that is installed, as its torch comes along.
    """
    found = [name for name, runtime in runtimes.items() if info.format in runtime.FACTS.formats]
    if requirements is not None:
        named = distributions(requirements)
        present = [name for name in found if named.intersection(runtimes[name].FACTS.packages)]
        found = present or found
    if info.format == "transformers" and "transformers" in found:
        return ("transformers",)
    return tuple(found)


def choose(
    runtimes: Mapping[RuntimeName, Runtime],
    name: str,
    model: Model,
    info: ModelInfo,
    requirements: Sequence[str] | None,
) -> RuntimeName:
    """The runtime of ``model``: the user's word, else the only candidate. Raises SpecError with the key to set."""
    if model.runtime is not None:
        return model.runtime
    found = candidates(runtimes, info, requirements)
    if len(found) == 1:
        return found[0]
    key = f"models.{name}.runtime"
    if not found:
        raise SpecError(
            f"no runtime is known for a {info.format} model", where=key, hint=f"set it to one of: {', '.join(runtimes)}"
        )
    raise SpecError(
        f"a {info.format} model may be served by {' or '.join(found)}",
        where=key,
        hint=f"set {key} to {' or '.join(found)}",
    )
