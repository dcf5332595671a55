"""Variables that nobody reads, that are gone, or that hold secrets; and functions that do not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mlpack.audit.deployment import Deployment
from mlpack.audit.finding import Hit, Rule

IMAGINARY: Mapping[str, tuple[str, str]] = {  # variable -> (what to write, why)
    "OLLAMA_MMAP": ("the request option use_mmap", "Ollama reads no such variable; on a CPU it decides by itself"),
    "OLLAMA_MLOCK": ("nothing", "Ollama reads no such variable"),
    "OLLAMA_NUM_THREAD": ("the option num_thread of a model or request", "Ollama reads no such variable"),
    "OLLAMA_NUM_THREADS": ("the option num_thread of a model or request", "Ollama reads no such variable"),
    "OLLAMA_NUM_GPU": ("the option num_gpu of a model or request", "Ollama reads no such variable"),
    "RAY_HEAD_SERVICE_PORT": ("ray start --port", "the name occurs nowhere in Ray 2.60"),
    "RAY_DISABLE_IMPORT_WARNING": ("nothing", "the name occurs nowhere in Ray 2.60"),
}
DEPRECATED: Mapping[str, tuple[str, str]] = {
    "TRANSFORMERS_CACHE": (
        "HF_HUB_CACHE with the same folder (for a new cache HF_HOME)",
        "deprecated in transformers 4 and gone in 5; HF_HOME with the same folder does not find what is cached",
    ),
    "PYTORCH_TRANSFORMERS_CACHE": ("HF_HUB_CACHE with the same folder", "gone in transformers 5"),
    "PYTORCH_PRETRAINED_BERT_CACHE": ("HF_HUB_CACHE with the same folder", "gone in transformers 5"),
}
_SECRET = re.compile(r"(^|_)(PASSWORD|PASSWD|SECRET|SECRET_KEY|API_?KEY|ACCESS_KEY|PRIVATE_KEY|AUTH_TOKEN|HF_TOKEN)$")
_TOKENS = frozenset(["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "GITHUB_TOKEN"])
_URL = re.compile(r"://[^/\s:@]*:([^/\s:@]+)@")


def is_secret(name: str, value: str) -> bool:
    """A name that promises a secret with a value that is one, or a URL with a password in it."""
    named = bool(_SECRET.search(name.upper())) or name.upper() in _TOKENS
    is_path = value.startswith("/") or value.endswith((".txt", ".key"))
    return (named and bool(value) and not is_path) or bool(_URL.search(value))


def imaginary(deployment: Deployment) -> Iterator[Hit]:
    """Variables that no program reads."""
    yield from _named(deployment, IMAGINARY)


def deprecated(deployment: Deployment) -> Iterator[Hit]:
    """Variables that are on their way out."""
    yield from _named(deployment, DEPRECATED)


def _named(deployment: Deployment, names: Mapping[str, tuple[str, str]]) -> Iterator[Hit]:
    for one in deployment.services:
        for name, said in one.environment.items():
            if name in names:
                after, because = names[name]
                change = {"environment": {"HF_HUB_CACHE": said.text}} if after.startswith("HF_HUB_CACHE") else {}
                yield Hit(said.place, one.name, f"{name}={said.text}", after, because, change=change)


def wrong_call(deployment: Deployment) -> Iterator[Hit]:
    """Functions that do not exist."""
    for said in deployment.code.wrong_calls:
        yield Hit(
            said.place,
            None,
            said.text,
            "remove it; size the memory limit by the largest input, and set the TensorFlow thread pools",
            "TensorFlow has no such function (AttributeError); set_memory_growth is for GPUs. `Allocation of N exceeds "
            "10% of free system memory` is only a warning",
        )


def gpu_setting(deployment: Deployment) -> Iterator[Hit]:
    """TensorFlow's GPU setting where there is no card."""
    for one in deployment.services:
        said = one.environment.get("TF_FORCE_GPU_ALLOW_GROWTH")
        if said is not None and one.gpu is None:
            yield Hit(
                said.place,
                one.name,
                f"TF_FORCE_GPU_ALLOW_GROWTH={said.text}",
                "remove it",
                "it is for GPUs, and this service asks for none: it saves no memory on a CPU",
            )


def tokenizers(deployment: Deployment) -> Iterator[Hit]:
    """The after-fork guard of tokenizers, switched off."""
    for one in deployment.services:
        said = one.environment.get("TOKENIZERS_PARALLELISM")
        if said is not None and said.text.lower() in ("true", "1", "yes", "on"):
            yield Hit(
                said.place,
                one.name,
                f"TOKENIZERS_PARALLELISM={said.text}",
                "TOKENIZERS_PARALLELISM=false",
                "it removes the guard against a deadlock after a fork",
                severity="warning" if "preload" in one.program.options else "note",
                change={"environment": {"TOKENIZERS_PARALLELISM": "false"}},
            )


def secrets(deployment: Deployment) -> Iterator[Hit]:
    """Secrets in files that are committed."""
    for one in deployment.services:
        for name, said in one.environment.items():
            committed = said.place.file.lower().endswith((".yml", ".yaml", ".service", ".json"))
            if committed and is_secret(name, said.text) and not said.text.startswith("/run/secrets"):
                yield Hit(
                    said.place,
                    one.name,
                    f"{name}=...",
                    f"{name} from an env_file that git ignores, ${{{name}:?}}, or a secret",
                    "a secret in a committed file is known to everybody who ever sees the repository",
                    severity=None if said.place == one.environment[name].place else "note",
                )


FACTS = "docs/facts.md, "
RULES = (
    Rule("variable-imaginary", "warning", "A variable that nobody reads", FACTS + "names that do not exist", imaginary),
    Rule("variable-deprecated", "warning", "A variable that is gone", FACTS + "Transformers", deprecated),
    Rule("call-imaginary", "error", "A function that does not exist", FACTS + "TensorFlow", wrong_call),
    Rule("gpu-setting-on-cpu", "note", "A GPU setting without a GPU", FACTS + "TensorFlow", gpu_setting),
    Rule("tokenizers-parallelism", "note", "Tokenizers' fork guard is off", FACTS + "Transformers", tokenizers),
    Rule(
        "secret-in-environment", "warning", "A secret in a committed file", "Docker: manage secrets in Compose", secrets
    ),
)
