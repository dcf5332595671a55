"""Where the hub's client keeps a model on this machine, so that its headers can be read without a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

REVISION = "main"
"""What ``from_pretrained`` takes where none is named."""


def cache_folder(environ: Mapping[str, str]) -> Path:
    """The client's cache, as huggingface_hub decides it: HF_HUB_CACHE, else ``hub`` below HF_HOME, else below the
    user's cache folder. Source: huggingface_hub/constants.py."""
    if environ.get("HF_HUB_CACHE"):
        return Path(environ["HF_HUB_CACHE"])
    if environ.get("HF_HOME"):
        return Path(environ["HF_HOME"]) / "hub"
    below = environ.get("XDG_CACHE_HOME") or str(Path(environ.get("HOME", "/")) / ".cache")
    return Path(below) / "huggingface" / "hub"


def cached_model(name: str, environ: Mapping[str, str]) -> Path | None:
    """The folder with the files of hub model ``name`` (``org/name``); None where it was never fetched here."""
    folder = cache_folder(environ) / f"models--{name.replace('/', '--')}"
    try:
        commit = (folder / "refs" / REVISION).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    snapshot = folder / "snapshots" / commit
    return snapshot if commit and "/" not in commit and snapshot.is_dir() else None
