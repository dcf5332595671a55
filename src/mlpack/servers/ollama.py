"""Ollama: one server that starts a runner per model; told what to do by environment variables only."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.servers.base import Admission, ServerFacts
from mlpack.servers.paths import model_path
from mlpack.spec import CacheDtype, Spec
from mlpack.units import MIB

FACTS = ServerFacts(
    name="ollama",
    role="llm",
    image="ollama/ollama:0.24.0",
    port=11434,
    url="http://{host}:{port}",
    fork_point="never",
    preload_fork_point=None,
    has_master=True,
    chain="web",
    anonymous_bytes=100 * MIB,
    mapped_bytes=60 * MIB,
    start_s=3.0,
    health_argv=("ollama", "list"),
    source="guess, to be measured: the server could not be run here. Variables from its envconfig (facts.md)",
)

CACHE_TYPES: tuple[CacheDtype, ...] = ("f16", "q8_0", "q4_0")
"""OLLAMA_KV_CACHE_TYPE (its FAQ)."""
MODELS = """set -eu
ollama serve &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
until ollama list >/dev/null 2>&1; do
    kill -0 "$server" || exit 1
    sleep 1
done
threads=$1
shift
while [ $# -gt 0 ]; do
    name=$1 source=$2
    shift 2
    if [ -z "$source" ]; then
        ollama show "$name" >/dev/null 2>&1 || ollama pull "$name"
        source=$name
    fi
    printf 'FROM %s\\nPARAMETER num_thread %s\\n' "$source" "$threads" >/tmp/Modelfile
    ollama create "$name" --file /tmp/Modelfile
done
"""
"""Ollama loads what lies in its own store only, and the store is filled by a running server."""


def admission(spec: Spec, name: str) -> Admission:
    """`OLLAMA_NUM_PARALLEL` slots per model; further requests queue up to `OLLAMA_MAX_QUEUE`."""
    return Admission(natural=1, adjustable=True, enforced_by="OLLAMA_NUM_PARALLEL")


def argv(plan: Plan, name: str) -> tuple[str, ...]:
    """``ollama serve``: it has no flags."""
    return ("ollama", "serve")


def config(plan: Plan, name: str) -> Mapping[str, object]:
    """Its variables by name."""
    return {key: value for key, (value, _) in variables(plan, name).items()}


def variables(plan: Plan, name: str) -> dict[str, tuple[str, str]]:
    """Variable -> value and reason; all are in its envconfig. Threads have none: ``models_argv`` sets them."""
    service = plan.services[name]
    models = [plan.spec.models[model] for model in plan.spec.services[name].models]
    tokens = [model.max_input.tokens for model in models if model.max_input and model.max_input.tokens]
    caches = {model.cache_dtype for model in models if model.cache_dtype}
    found = {
        "OLLAMA_HOST": (f"0.0.0.0:{service.port or FACTS.port}", "its own default is this container alone"),
        "OLLAMA_NUM_PARALLEL": (str(service.concurrency.value), "requests at once, as planned: each has a cache"),
        "OLLAMA_MAX_LOADED_MODELS": (str(max(1, len(models))), "all of them stay loaded, as planned"),
        "OLLAMA_KEEP_ALIVE": (
            "-1",
            "their memory is planned: after 5 idle minutes the next request would wait for a load",
        ),
    }
    if tokens:
        found["OLLAMA_CONTEXT_LENGTH"] = (str(max(tokens)), "max_input.tokens: of each of the parallel requests")
    if len(caches) == 1:
        found["OLLAMA_KV_CACHE_TYPE"] = (_cache_type(name, caches.pop()), "cache_dtype of its models")
        found["OLLAMA_FLASH_ATTENTION"] = ("1", "another cache type than f16 works with it only")
    elif caches:
        where, hint = f"services.{name}.models", "write the same cache_dtype for all, or a service for each"
        raise SpecError("Ollama keeps every model's cache in one dtype", where=where, hint=hint)
    return found


def _cache_type(name: str, dtype: CacheDtype) -> str:
    if dtype not in CACHE_TYPES:
        hint = f"one of: {', '.join(CACHE_TYPES)}"
        raise SpecError(f"Ollama keeps no cache in {dtype}", where=f"services.{name}.models", hint=hint)
    return dtype


def models_argv(plan: Plan, name: str) -> tuple[str, ...]:
    """The step before the first start: ``-c`` for sh, the script, and of every model its name and source.

    A source is a file (``models.X.path``), else the name is pulled where it is not here yet. Each model is then
    made anew from itself with the planned threads: Ollama takes all cores of the machine and knows no quota.
    """
    words = [str(plan.services[name].threads.value)]
    for key in plan.spec.services[name].models:
        model = plan.spec.models[key]
        words += [key, model_path(plan.spec, key)] if model.path else [model_path(plan.spec, key), ""]
    return ("-c", MODELS, "models", *words)
