"""Models named by a hub: a volume holds their files, filled by a step before the first start.

The services themselves run offline: a start that depends on a hub fails with the hub, and a start that only looks
whether there is something newer may change the model under a plan that was made for another.
"""

from __future__ import annotations

from posixpath import normpath

from mlpack.plan import Plan

VOLUME = "hub-models"
IGNORED = ("*.h5", "*.msgpack", "*.ot", "*.onnx", "*.onnx_data", "*.tflite", "*.mlmodel", "onnx/*", "openvino/*")
"""Copies of the weights for other frameworks, which would multiply the download."""
FETCH = (
    "import sys\n"
    "from huggingface_hub import snapshot_download\n"
    f"ignored = {list(IGNORED)!r}\n"
    "for name in sys.argv[1:]:\n"
    "    print(f'{name}: in {snapshot_download(name, ignore_patterns=ignored)}', flush=True)\n"
)
"""snapshot_download fetches what is missing only; where the hub does not answer it takes what the cache holds."""


def hub_models(plan: Plan, name: str) -> tuple[str, ...]:
    """Hub names of service ``name``'s models that are no files of the project; sorted. Ollama has its own store."""
    if plan.services[name].server == "ollama":
        return ()
    models = (plan.spec.models[model] for model in plan.spec.services[name].models)
    return tuple(sorted({model.hub for model in models if model.hub is not None and model.path is None}))


def hub_folders(plan: Plan, name: str) -> tuple[str, ...]:
    """Where the cache is mounted; empty for services without such models."""
    return (normpath(f"{plan.spec.root_path}/{VOLUME}"),) if hub_models(plan, name) else ()


def hub_mounts(plan: Plan, name: str) -> list[dict[str, object]]:
    """The volume that holds the hub's files."""
    return [
        {"type": "volume", "source": VOLUME, "target": folder, "read_only": False} for folder in hub_folders(plan, name)
    ]


def hub_variables(plan: Plan, name: str) -> dict[str, tuple[str, str]]:
    """Variable -> value and reason. HF_HOME, not TRANSFORMERS_CACHE, which v5 no longer reads (facts.md)."""
    found: dict[str, tuple[str, str]] = {}
    for folder in hub_folders(plan, name):
        found["HF_HOME"] = folder, "the volume of the hub's models"
        found["HF_HUB_OFFLINE"] = "1", "a step before the start fetches them; the service itself asks no hub"
    return found


def fetch_argv(plan: Plan, name: str) -> tuple[str, ...] | None:
    """The step that fills the volume; None for services that need none."""
    models = hub_models(plan, name)
    return ("python", "-c", FETCH, *models) if models else None
