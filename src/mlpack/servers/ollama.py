"""Ollama: one server that starts a runner per model; told what to do by environment variables only."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.plan import Plan
from mlpack.servers.base import Admission, ServerFacts
from mlpack.spec import Spec
from mlpack.units import MIB

FACTS = ServerFacts(
    name="ollama",
    role="llm",
    image="ollama/ollama",
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


def admission(spec: Spec, name: str) -> Admission:
    """`OLLAMA_NUM_PARALLEL` slots per model; further requests queue up to `OLLAMA_MAX_QUEUE`."""
    return Admission(natural=1, adjustable=True, enforced_by="OLLAMA_NUM_PARALLEL")


def argv(plan: Plan, name: str) -> tuple[str, ...]:
    """``ollama serve``: it has no flags."""
    return ("ollama", "serve")


def config(plan: Plan, name: str) -> Mapping[str, object]:
    """Its variables by name. Threads are a request option (`num_thread`): there is no variable for them."""
    service = plan.services[name]
    models = [plan.spec.models[model] for model in plan.spec.services[name].models]
    tokens = [model.max_input.tokens for model in models if model.max_input and model.max_input.tokens]
    values: dict[str, object] = {
        "OLLAMA_HOST": f"0.0.0.0:{service.port or FACTS.port}",
        "OLLAMA_NUM_PARALLEL": str(service.concurrency.value),
        "OLLAMA_MAX_LOADED_MODELS": str(max(1, len(models))),
    }
    return values | ({"OLLAMA_CONTEXT_LENGTH": str(max(tokens))} if tokens else {})
