"""A systemd unit as a Service: the same questions are asked of it as of a container."""

from __future__ import annotations

from mlpack.audit.deployment import Service
from mlpack.audit.place import Place, Said
from mlpack.audit.program import read_program, split
from mlpack.units import parse_bytes


def read_unit(text: str, file: str, name: str) -> Service | None:
    """The unit in ``text``; None where it has no [Service]. Lists are joined with a line break; the last value wins."""
    settings: dict[str, Said] = {}
    environment: dict[str, Said] = {}
    section = ""
    lines = text.splitlines()
    index = 0
    while index < len(lines):
        place, line = Place(file, index + 1), lines[index].strip()
        index += 1
        while line.endswith("\\") and index < len(lines):
            line = line[:-1] + lines[index].strip()
            index += 1
        if line.startswith("["):
            section = line.strip("[]")
        key, equals, value = line.partition("=")
        if section != "Service" or not equals or line.startswith(("#", ";")):
            continue
        key, value = key.strip(), value.strip()
        if key == "Environment":
            pairs = (word.partition("=") for word in split(value))
            environment |= {variable: Said(content, place) for variable, _, content in pairs if variable}
        else:
            settings[key] = Said(value, place)
    if not settings:
        return None
    start = settings.get("ExecStart", Said("", Place(file, 1)))
    argv = split(start.text.lstrip(":-@!+"))
    memory = settings.get("MemoryMax")
    return Service(
        name=name,
        place=start.place,
        program=read_program(argv, start.place, None, {}),
        environment=environment,
        memory=memory,
        memory_bytes=_bytes(memory),
        cpus=_cores(settings.get("CPUQuota")),
        cpus_at=settings["CPUQuota"].place if "CPUQuota" in settings else None,
        user=settings.get("User"),
        restart=settings.get("Restart"),
        host_network=True,
        unit=settings | {"": start},
    )


def _bytes(said: Said | None) -> int | None:
    try:
        return None if said is None else parse_bytes(said.text)
    except ValueError:
        return None


def _cores(said: Said | None) -> float | None:
    digits = said.text.removesuffix("%") if said else ""
    return float(digits) / 100 if digits.isdigit() else None
