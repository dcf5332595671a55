"""Connects variables that the app reads with the facts that answer them, where that is certain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mlpack.init.detected import SERVICE, Detected
from mlpack.init.environment import Variable
from mlpack.spec import FactName

SMALLEST_BODY_BYTES = 1024
"""A "largest body" below this is not in bytes."""


def wire(root: Path, detected: Detected, variables: Sequence[Variable]) -> Detected:
    """``detected`` with ``env``, ``max_body_bytes`` and the variables that are left for the user."""
    env: dict[str, tuple[str, FactName]] = {}
    left: list[str] = []
    body: int | None = None
    for variable in variables:
        fact = variable.fact
        if fact == "max_body":
            number = variable.number or 0
            fits = number >= SMALLEST_BODY_BYTES and body in (None, number)
            body = number if fits else body
            of = SERVICE if fits else None
        else:
            of = _model_for(root, detected, variable) if fact == "path" else SERVICE
        if fact is not None and of is not None:
            env[variable.name] = (of, fact)
        else:
            left.append(variable.name + (" (a secret)" if variable.is_secret else ""))
    return replace(detected, env=env, max_body_bytes=body, also_reads=tuple(left))


def _model_for(root: Path, detected: Detected, variable: Variable) -> str | None:
    """The model whose path ``variable`` asks for: the only one, if a folder is wanted where it is one."""
    named = [model for model in detected.models if model.path is not None]
    if len(detected.models) != 1 or not named or named[0].path is None:
        return None
    is_folder = (root / named[0].path).is_dir()
    contradicts = variable.name.endswith("_FILE") if is_folder else variable.name.endswith("_DIR")
    return None if contradicts else named[0].name
