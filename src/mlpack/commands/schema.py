"""``mlpack schema``: a JSON schema on stdout, for editors and other programs."""

from __future__ import annotations

import json

from mlpack.config.schema import NAMES, schema
from mlpack.console import say
from mlpack.errors import ExitCode, UsageError


def schema_command(name: str) -> int:
    """Print the schema called ``name``. Raises UsageError for one that does not exist."""
    if name not in NAMES:
        raise UsageError(f"there is no schema {name!r}", hint=f"known: {', '.join(NAMES)}")
    say(json.dumps(schema(name), indent=2))
    return ExitCode.OK
