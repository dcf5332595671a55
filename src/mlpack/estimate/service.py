"""The footprint of one process of a service: imports, then each of its models as its runtime sizes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlpack.errors import SpecError
from mlpack.estimate import imports
from mlpack.estimate.app import app_regions
from mlpack.footprint import Footprint, Region
from mlpack.model import ModelInfo
from mlpack.runtimes import RUNTIMES, llama_cpp, runtime_of
from mlpack.runtimes.base import Sized
from mlpack.runtimes.libraries import distributions, major_version
from mlpack.runtimes.llama_cpp import SCORES
from mlpack.servers import SERVERS
from mlpack.servers.base import ServerFacts
from mlpack.spec import Model, RuntimeName, ServerName, Spec

BRIEF_REQUEST_S = 0.1
"""A request that no model works on: what a broker, a proxy or a page takes at most, roughly."""
APP_ROLES = frozenset({"app", "worker", "actors"})
"""Programs that run the project's own Python code."""
MAPPING_MAJOR = 5
"""First major version of transformers that maps weights from the file."""


def estimate_service(
    spec: Spec, name: str, infos: Mapping[str, ModelInfo], requirements: Sequence[str] | None
) -> Footprint:
    """Footprint of one process of service ``name``. Raises SpecError, see ``estimate``."""
    service = spec.services[name]
    facts = SERVERS[service.server].FACTS
    runtimes = {m: _runtime(spec, name, m, infos, requirements) for m in service.models}
    sized = {}
    for m in service.models:
        alone = _sized(m, spec.models[m], infos[m], runtimes[m], requirements)
        sized[m] = _under(facts, m, spec.models[m], infos[m], alone)
    imported = {m: _imported(runtime, requirements) for m, runtime in runtimes.items()}
    regions = [
        *_import_regions(facts, imported, requirements),
        *(region for each in sized.values() for region in each.regions),
        imports.kernel_region(max(1, len(sized)) if facts.role == "actors" else 1),
    ]
    widened = [reason for each in sized.values() for reason in each.widened]
    widened += _unlisted(name, service.models, requirements, facts)
    imported_s = sum(f.import_s for f in imports.in_play(imported.values()))
    return Footprint(
        service=name,
        source="estimated",
        regions=tuple(region for region in regions if region.bytes > 0),
        load_s=imported_s + sum(each.load_s for each in sized.values()) if sized else facts.start_s,
        request_s=sum(each.request_s for each in sized.values()) if sized else BRIEF_REQUEST_S,
        widened=tuple(dict.fromkeys(widened)),
    )


def _runtime(
    spec: Spec, service: str, model: str, infos: Mapping[str, ModelInfo], requirements: Sequence[str] | None
) -> RuntimeName:
    if model not in infos:
        raise SpecError(
            f"nothing is known of model {model!r}",
            where=f"services.{service}.models",
            hint="its files must be there once, so that their headers can be read into the lock",
        )
    return runtime_of(model, spec.models[model], infos[model], requirements)


def _imported(runtime: RuntimeName, requirements: Sequence[str] | None) -> RuntimeName:
    """What the app imports to run ``runtime``: a module loaded by torch is often one of transformers' classes."""
    installed = distributions(requirements or ()).intersection(RUNTIMES["transformers"].FACTS.packages)
    return "transformers" if runtime == "torch" and installed else runtime


def keeps_windows(server: ServerName) -> bool:
    """``server`` keeps no more of a layer that looks back a window than it: llama.cpp's own (docs/facts.md)."""
    return server == "llama_server"


def _sized(name: str, model: Model, info: ModelInfo, runtime: RuntimeName, requirements: Sequence[str] | None) -> Sized:
    """Model ``name`` as its runtime sizes it; an older transformers loads as torch does."""
    pinned = major_version(requirements or (), "transformers")
    if runtime != "transformers" or pinned is None or pinned >= MAPPING_MAJOR:
        return RUNTIMES[runtime].size(name, model, info)
    older = RUNTIMES["torch"].size(name, model, info)
    reason = f"transformers {pinned} is pinned: planned as copying the weights, which version {MAPPING_MAJOR} maps"
    return replace(older, widened=(reason, *older.widened))


def _under(server: ServerFacts, name: str, model: Model, info: ModelInfo, sized: Sized) -> Sized:
    """``sized`` as ``server`` runs it: Ollama turns mapping off on a CPU, and flash attention (docs/facts.md)."""
    if keeps_windows(server.name):
        sized = llama_cpp.size(name, model, info, windows=True)
    scores = server.name == "ollama" and model.cache_dtype is None  # with one, OLLAMA_FLASH_ATTENTION=1 is rendered
    kept = tuple(r for r in sized.regions if scores or r.name != f"{name} {SCORES}")
    if server.name != "ollama":
        return replace(sized, regions=kept)
    reason = f"Ollama turns mapping off on a CPU: the weights of {name} are planned as private memory"
    return replace(sized, regions=_unmapped(kept), widened=(reason, *sized.widened))


def _unmapped(regions: Sequence[Region]) -> tuple[Region, ...]:
    """Mapped regions as anonymous ones."""
    return tuple(r.model_copy(update={"kind": "anonymous"}) if r.kind == "mapped" else r for r in regions)


def _import_regions(
    facts: ServerFacts, runtimes: Mapping[str, RuntimeName], requirements: Sequence[str] | None
) -> tuple[Region, ...]:
    """What is there before any model: one interpreter, or for actors one for each model."""
    if facts.role not in APP_ROLES:
        return imports.server_regions(facts)
    loaded = imports.in_play(runtimes.values())
    own = (*imports.server_regions(facts, loaded), *app_regions(requirements, loaded))
    if facts.role == "actors" and runtimes:
        together = imports.runtime_regions(loaded)
        each = (imports.runtime_regions(imports.in_play([r]), f"{model} ")[0] for model, r in runtimes.items())
        return (*each, together[1], *own, imports.object_store_region())
    return (*imports.runtime_regions(loaded), *own)


def _unlisted(
    service: str, models: Sequence[str], requirements: Sequence[str] | None, facts: ServerFacts
) -> tuple[str, ...]:
    """Runtimes in the requirements of a service that lists no models: their import is not counted, and that is said."""
    if models or facts.role not in APP_ROLES or not requirements:
        return ()
    named = distributions(requirements)
    found = [runtime.FACTS.name for runtime in RUNTIMES.values() if named.intersection(runtime.FACTS.packages)]
    if not found:
        return ()
    return (
        f"{', '.join(found)} in the requirements of {service} is not counted, as it lists no models: "
        f"name them in services.{service}.models if it imports them",
    )
