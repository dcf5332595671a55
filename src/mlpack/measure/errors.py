"""Says what was wrong with an app that could not be measured, and what mends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def explain(message: Mapping[str, Any], *, place: Where, log: str, left_out: Sequence[str] = ()) -> AppError:
    """The error for the child's ``{"error": kind, "stage":, "message":, "missing":, "at":}``; ``log``: its last words.

    ``at`` is the innermost line of the project's own code, ``own`` the top-level module of the app. ``left_out``:
    headers that were not sent, as their values are secrets.
    """
    kind, said, missing = message["error"], message["message"], message.get("missing")
    words = f" Its last words:\n{log}" if log else ""
    if missing and missing == message.get("own"):
        hint = f"modules in mlpack.yaml are seen from the project's folder: is {missing}.py or {missing}/ in it?"
    elif missing:
        hint = place.missing_hint.format(missing)
    elif said.startswith("MemoryError"):
        hint = f"no more memory was given: measure where more is free, or with a smaller request.{words}"
    elif kind == "import":
        hint = f"{place.python} imported it in the project's folder.{words}"
    elif kind == "status" and left_out:
        hint = (
            f"not sent, as its value is a secret: {', '.join(left_out)}; --in-container knows the deployment's secrets"
        )
    elif kind == "status":
        hint = f"correct the request in mlpack.yaml, or the app.{words}"
    else:
        hint = words.strip() or "it said nothing"
    return AppError(f"{WORDS[kind]}: {said}", where=message.get("at"), hint=hint)
