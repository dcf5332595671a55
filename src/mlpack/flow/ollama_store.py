"""Where Ollama keeps a model on this machine: its GGUF file is read there, as of models of any other hub."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HOST, NAMESPACE, TAG = "registry.ollama.ai", "library", "latest"
"""What a name leaves out (types/model/name.go)."""
WEIGHTS = "application/vnd.ollama.image.model"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:-]*")


def stored_model(name: str, environ: Mapping[str, str]) -> Path | None:
    """The GGUF file of ``name`` (``llama3.2:3b``, ``hf.co/org/name``); None where it was never pulled here.

    OLLAMA_MODELS, else ``.ollama/models`` below the home: manifests name the layers, blobs hold them.
    """
    store = Path(environ.get("OLLAMA_MODELS") or Path(environ.get("HOME", "~")).expanduser() / ".ollama" / "models")
    path, _, tag = name.partition(":") if name.rfind(":") > name.rfind("/") else (name, "", "")
    parts = path.split("/")
    whole = [*(HOST, NAMESPACE)[: max(0, 3 - len(parts))], *parts, tag or TAG]
    if not all(_PART.fullmatch(part) for part in whole):
        return None
    try:
        manifest: Any = json.loads((store / "manifests" / Path(*whole)).read_bytes())
        layers = [layer["digest"] for layer in manifest["layers"] if layer["mediaType"] == WEIGHTS]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if len(layers) != 1 or not _DIGEST.fullmatch(str(layers[0])):
        return None
    blob = store / "blobs" / str(layers[0]).replace(":", "-")
    return blob if blob.is_file() else None
