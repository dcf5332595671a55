"""llama.cpp's server: one process, a fixed number of slots, one KV cache for all of them."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.servers.asgi import listen_address
from mlpack.servers.base import Admission, ServerFacts
from mlpack.servers.paths import model_path
from mlpack.spec import Spec
from mlpack.units import MIB

FACTS = ServerFacts(
    name="llama_server",
    role="llm",
    image="ghcr.io/ggml-org/llama.cpp:server",
    port=8080,
    url="http://{host}:{port}",
    fork_point="never",
    preload_fork_point=None,
    has_master=False,
    chain="web",
    anonymous_bytes=15 * MIB,
    mapped_bytes=20 * MIB,
    start_s=2.0,
    health_argv=None,
    source="footprint.md: 15 MiB anonymous before a GGUF is loaded; mapped is a guess of libraries alone. /health "
    "answers 503 until the model is loaded (llama.cpp, tools/server)",
    health_path="/health",
)


def admission(spec: Spec, name: str) -> Admission:
    """`--parallel` slots; more requests wait in the server's own queue."""
    return Admission(natural=1, adjustable=True, enforced_by="llama-server's slots (--parallel)")


def argv(plan: Plan, name: str) -> tuple[str, ...]:
    """``llama-server --model ... --ctx-size slots x tokens --parallel slots``. Raises SpecError without one model file.

    The context is shared out: each slot gets ctx-size / parallel tokens, so the flag is slots x max_input.tokens.
    Prompts that a slot gives up are kept in memory, by default up to 8 GiB (llama.cpp#16391): beyond any plan, so off.
    A slot still keeps its last prompt, and a next one with the same beginning goes on from there.
    """
    service = plan.services[name]
    models = plan.spec.services[name].models
    if len(models) != 1:
        raise SpecError(f"llama-server serves one model, not {len(models)}", where=f"services.{name}.models")
    model = plan.spec.models[models[0]]
    if model.max_input is None or model.max_input.tokens is None:
        raise SpecError(
            "an LLM's memory follows from its context length, which is not set",
            where=f"models.{models[0]}.max_input",
            hint="write `max_input: {tokens: 8192}`",
        )
    if model.cache_dtype not in (None, "f16"):
        raise SpecError(
            f"llama-server's cache is started in f16 here, not in {model.cache_dtype}",
            where=f"models.{models[0]}.cache_dtype",
            hint="leave it out, or serve the model by Ollama, whose variable for it is rendered",
        )
    slots = service.concurrency.value
    words = ["llama-server", "--model", model_path(plan.spec, models[0])]
    words += ["--host", listen_address(service.target, plan.spec.settings.publish_host)]
    words += ["--port", str(service.port or FACTS.port)]
    words += ["--ctx-size", str(slots * model.max_input.tokens), "--parallel", str(slots)]
    words += ["--threads", str(service.threads.value), "--threads-batch", str(service.threads.value)]
    words += ["--cache-ram", "0"]
    return (*words, "--timeout", f"{service.times.request_s.value:.0f}")


def config(plan: Plan, name: str) -> Mapping[str, object]:
    """No files: everything is in argv."""
    return {}
