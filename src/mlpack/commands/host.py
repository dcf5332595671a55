"""Which machine a command plans for: this one, a host file's, one of the catalogue, or one given by its numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from mlpack.errors import UsageError
from mlpack.host import HostFacts
from mlpack.planner.machines import machine, named, nearest_machines, resized
from mlpack.project import read_text
from mlpack.units import parse_bytes

SCHEMA_VERSION = 1
MAKE_ONE = "make one on that machine: mlpack probe --json > host.json"


@dataclass(frozen=True)
class Machine:
    """What the command line says about the machine, as it was typed."""

    host: Path | None = None
    ram: str | None = None
    cores: str | None = None
    gpu: str | None = None


def chosen_host(asked: Machine, here: Callable[[], HostFacts]) -> HostFacts:
    """The machine to plan for; ``here`` is called where nothing names another.

    ``--ram`` and ``--cores`` together make a machine; beside ``--host`` each replaces that machine's own. Raises
    UsageError for what cannot be a machine.
    """
    ram = None if asked.ram is None else _bytes(asked.ram)
    cores = None if asked.cores is None else _cores(asked.cores)
    if asked.host is not None:
        return resized(read_host(asked.host), ram, cores, asked.gpu)
    if ram is not None and cores is not None:
        return machine(ram, cores, asked.gpu)
    given = {"--ram": asked.ram, "--cores": asked.cores, "--gpu": asked.gpu}
    said = [name for name, value in given.items() if value is not None]
    if said:
        missing = [name for name in ("--ram", "--cores") if name not in said]
        raise UsageError(
            f"{' and '.join(said)} alone make no machine: {' and '.join(missing)} missing",
            hint="write --ram 16G --cores 4, or name a machine beside it: --host host.json, --host m7i.xlarge",
        )
    return here()


def read_host(path: Path) -> HostFacts:
    """Another machine's ``mlpack probe --json``, or a machine of the catalogue by its name.

    Raises UsageError where the file is something else or of another schema version, or the name is unknown.
    """
    if not path.exists() and path.name == str(path) and path.suffix not in (".json", ".txt"):
        found = named(str(path))
        if found is None:
            raise UsageError(
                f"there is neither a file nor a machine {str(path)!r}", where="--host", hint=nearest_machines(str(path))
            )
        return found
    return parse_host(read_text(path), str(path))


def parse_host(text: str, where: str) -> HostFacts:
    """The facts that ``text`` holds. Raises UsageError naming ``where`` it is something else."""
    try:
        found = json.loads(text)
        version = found.get("schema_version") if isinstance(found, dict) else None
        if type(version) is int and version != SCHEMA_VERSION:
            mend = "upgrade mlpack" if version > SCHEMA_VERSION else MAKE_ONE
            what = f"is a host file of schema version {version}; this mlpack reads {SCHEMA_VERSION}"
            raise UsageError(what, where=where, hint=mend)
        return HostFacts.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        what = f"is not a host file: {f'{place}: ' if place else ''}{first['msg']}"
        raise UsageError(what, where=where, hint=MAKE_ONE) from error
    except (ValueError, RecursionError) as error:
        raise UsageError("is not a host file: not JSON", where=where, hint=MAKE_ONE) from error


def _bytes(text: str) -> int:
    try:
        return parse_bytes(text)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is not a size", where="--ram", hint="write it like 16G") from error


def _cores(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a number of cores", where="--cores", hint="write it like 4") from error
