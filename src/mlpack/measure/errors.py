"""Says what was wrong with an app that could not be measured, and what mends it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlpack.errors import MlpackError


class AppError(MlpackError):
    """The measured app failed. ``killed``: by the kernel or someone else, with SIGKILL."""

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None, killed: bool = False) -> None:
        super().__init__(what, where=where, hint=hint)
        self.killed = killed


def explain(message: Mapping[str, Any], *, python: Path, log: str) -> AppError:
    """The error for the child's ``{"error": kind, "stage":, "message":, "missing":}``; ``log``: its last words."""
    kind, said = message["error"], message["message"]
    words = {
        "import": "the app cannot be imported",
        "startup": "the app's start-up failed",
        "request": "the app failed on the request",
        "status": "the app gave a wrong answer",
    }[kind]
    if message.get("missing"):
        hint = f"{python} has no module {message['missing']!r}; name the project's own Python with --python"
    elif kind == "import":
        hint = f"it was imported by {python} in the project's folder; another Python is named with --python"
    elif kind == "status":
        hint = "correct the request in mlpack.yaml, or the app"
    else:
        hint = f"the app's last words:\n{log or '(nothing)'}"
    return AppError(f"{words}: {said}", hint=hint)
