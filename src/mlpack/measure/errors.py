"""Says what was wrong with an app that could not be measured, and what mends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from mlpack.errors import MlpackError


class AppError(MlpackError):
    """The measured app failed. ``killed``: by the kernel or someone else, with SIGKILL."""

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None, killed: bool = False) -> None:
        super().__init__(what, where=where, hint=hint)
        self.killed = killed


class Where(Protocol):
    """What a message says of the place; see ``worker.Place``."""

    @property
    def python(self) -> str:
        """How the Python is called."""

    @property
    def missing_hint(self) -> str:
        """What to do about a missing module; ``{}`` stands for it."""


WORDS = {
    "import": "the app cannot be imported",
    "startup": "the app's start-up failed",
    "request": "the app failed on the request",
    "call": "the call failed",
    "status": "the app gave a wrong answer",
}


def explain(message: Mapping[str, Any], *, place: Where, log: str) -> AppError:
    """The error for the child's ``{"error": kind, "stage":, "message":, "missing":, "at":}``; ``log``: its last words.

    ``at`` is the innermost line of the project's own code, ``own`` the top-level module of the app.
    """
    kind, said, missing = message["error"], message["message"], message.get("missing")
    if missing and missing == message.get("own"):
        hint = f"modules in mlpack.yaml are seen from the project's folder: is {missing}.py or {missing}/ in it?"
    elif missing:
        hint = place.missing_hint.format(missing)
    elif kind == "import":
        hint = f"{place.python} imported it in the project's folder. Its last words:\n{log or '(nothing)'}"
    elif kind == "status":
        hint = "correct the request in mlpack.yaml, or the app"
    else:
        hint = f"the app's last words:\n{log or '(nothing)'}"
    return AppError(f"{WORDS[kind]}: {said}", where=message.get("at"), hint=hint)
