"""Env files: the one spelling that Compose and systemd read alike, `NAME="value"` with `\\`, `"` and `$` escaped."""

from __future__ import annotations

import re

from mlpack.errors import SpecError
from mlpack.quoting.quoted import Quoted, one_line

DIALECT = "env_file"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def env_line(pair: tuple[str, object]) -> Quoted:
    """``(name, value)`` as a line. Raises SpecError, naming the variable, for what an env file cannot hold."""
    name, value = pair
    if not _NAME.fullmatch(name):
        raise SpecError(f"{name!r} is not the name of an environment variable", hint="letters, digits and _ only")
    try:
        text = one_line(value, "an env file")
    except SpecError as error:
        raise SpecError(f"{name}: {error.what}", hint=error.hint) from error
    for special in ("\\", '"', "$"):
        text = text.replace(special, "\\" + special)
    return Quoted(f'{name}="{text}"', DIALECT)
