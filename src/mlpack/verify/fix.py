"""Puts a report's patches into the text of mlpack.yaml: those that can be, with the reasons for the others. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from mlpack.config import load_text
from mlpack.config.edit import get_value, set_value
from mlpack.errors import MlpackError
from mlpack.report import Patch, VerifyReport


@dataclass(frozen=True)
class Fixed:
    """The new text, the patches in it, and those that are not, each with the reason."""

    text: str
    applied: tuple[Patch, ...]
    refused: tuple[tuple[Patch, str], ...]


def patches_of(report: VerifyReport) -> tuple[Patch, ...]:
    """Every patch of the failed checks, the first of each path."""
    found: dict[str, Patch] = {}
    for check in report.checks:
        for patch in check.patches:
            found.setdefault(patch.path, patch)
    return tuple(found.values())


def fixed(text: str, patches: Iterable[Patch], profiles: Sequence[str], shown: str) -> Fixed:
    """``text`` (called ``shown``) with ``patches``, each tried alone: one that mlpack.yaml may not say is left out.

    A value that one of ``profiles`` sets is changed there: what the file says outside of it would have no effect.
    """
    applied: list[Patch] = []
    refused: list[tuple[Patch, str]] = []
    for patch in patches:
        try:
            changed = set_value(text, place(text, patch.path, profiles), patch.after)
            _refuse_mistakes(changed, profiles, shown)
        except MlpackError as error:
            refused.append((patch, error.what))
            continue
        text = changed
        applied.append(patch)
    return Fixed(text, tuple(applied), tuple(refused))


def place(text: str, path: str, profiles: Sequence[str]) -> str:
    """``path``, or below the last of ``profiles`` in which the file sets it."""
    for profile in reversed(profiles):
        inside = f"profiles.{profile}.{path}"
        if get_value(text, inside) is not None:
            return inside
    return path


def _refuse_mistakes(text: str, profiles: Sequence[str], shown: str) -> None:
    """Raise MlpackError where the file, with its own ``profiles`` laid over it, says what a spec may not say."""
    value = yaml.safe_load(text)
    own = value.pop("profiles", None) or {}
    for profile in profiles:
        value = _over(value, own.get(profile) or {})
    load_text(yaml.safe_dump(value, allow_unicode=True, sort_keys=False).encode(), shown)


def _over(below: Any, above: Any) -> Any:
    """Maps merge, everything else replaces, as layers of a spec do."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return {**below, **{key: _over(below.get(key), part) if key in below else part for key, part in above.items()}}


def diff(before: str, after: str, shown: str) -> str:
    """A unified diff, empty where nothing changed."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"{shown} (now)", f"{shown} (mended)"
    )
    return "".join(lines)
