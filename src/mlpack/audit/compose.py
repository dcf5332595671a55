"""A compose file's services as values; what it refers to (Dockerfiles, env files) is handed in by who reads files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from mlpack.audit.deployment import Dockerfile, Service
from mlpack.audit.dockerfile import environment as image_environment
from mlpack.audit.dockerfile import words as image_words
from mlpack.audit.nodes import View
from mlpack.audit.place import Place, Said
from mlpack.audit.program import read_program, split
from mlpack.errors import SpecError
from mlpack.units import parse_bytes, parse_duration

Number = TypeVar("Number")
EXTENDS = 5
"""Services that extend services, followed this often."""


@dataclass(frozen=True)
class Built:
    """Where a service's image comes from: folder and Dockerfile as written in the compose file."""

    context: str
    dockerfile: str | None
    target: str | None
    args: Mapping[str, str]


def services_of(root: View, file: str) -> dict[str, dict[str, tuple[Place, View]]]:
    """Every service's keys, own ones over those of what it extends. Raises SpecError where there are no services."""
    services = root.at("services")
    if services is None or not services.items():
        hint = "name a compose file with `services:`, then its Dockerfiles"
        raise SpecError("no services in it: not a compose file", where=f"{file}:1", hint=hint)
    known = services.items()
    for name, (place, view) in known.items():
        if not view.items():
            raise SpecError(f"services.{name} has no keys", where=str(place), hint="give it an image or a build")

    def keys(name: str, left: int) -> dict[str, tuple[Place, View]]:
        own = known[name][1].items()
        extended = own["extends"][1] if "extends" in own else None
        if extended is None or extended.at("file") is not None:
            return own
        said = extended.said() or extended.said_at("service")
        return keys(said.text, left - 1) | own if said and said.text in known and left else own

    return {name: keys(name, EXTENDS) | {"": view} for name, view in known.items()}


def built(keys: Mapping[str, tuple[Place, View]]) -> Built | None:
    """What the service is built from; None for an image alone."""
    if "build" not in keys:
        return None
    view = keys["build"][1]
    if view.text() is not None:
        return Built(view.text() or ".", None, None, {})
    parts = {name: (view.said_at(name) or Said("", view.place)).text or None for name in ("dockerfile", "target")}
    arguments = view.at("args")
    args = {} if arguments is None else {name: said.text for name, said in _pairs(arguments).items()}
    return Built((view.said_at("context") or Said(".", view.place)).text, parts["dockerfile"], parts["target"], args)


def service_of(
    name: str,
    keys: Mapping[str, tuple[Place, View]],
    dockerfile: Dockerfile | None,
    env_file: Callable[[Said], Mapping[str, Said]],
) -> Service:
    """The service that ``keys`` describe. Raises SpecError for sizes and numbers that cannot be meant."""
    place = keys[""][0]

    def get(*path: str) -> View | None:
        return keys[path[0]][1].at(*path[1:]) if path[0] in keys else None

    def said(*path: str) -> Said | None:
        view = get(*path)
        return None if view is None else view.said()

    environment = dict(image_environment(dockerfile)) if dockerfile else {}
    files = get("env_file")
    for row in [] if files is None else (files.rows() or [files]):
        path = row.said() or row.said_at("path")
        if path is not None:
            environment |= env_file(path)
    own = get("environment")
    environment |= {} if own is None else _pairs(own)
    image = said("image")
    command, at = _command(keys, dockerfile, place)
    variables = {key: value.text for key, value in environment.items()}
    kind_of = image.text if image and dockerfile is None and "build" not in keys else None
    memory = said("deploy", "resources", "limits", "memory") or said("mem_limit")
    reserved = said("deploy", "resources", "reservations", "memory") or said("mem_reservation")
    cpus = said("deploy", "resources", "limits", "cpus") or said("cpus")
    card, cards, both = _gpu(keys)
    health, health_at = _health(keys, dockerfile)
    grace = said("stop_grace_period")
    return Service(
        name=name,
        place=place,
        program=read_program(command, at, kind_of, variables),
        environment=environment,
        image=image,
        dockerfile=dockerfile,
        builds="build" in keys,
        memory=memory,
        memory_bytes=_read(memory, parse_bytes),
        plain_limit="mem_limit" in keys,
        reserved_bytes=_read(reserved, parse_bytes),
        cpus=_read(cpus, float),
        cpus_at=cpus.place if cpus else None,
        swap=said("memswap_limit"),
        shm=said("shm_size"),
        replicas=int(_read(said("deploy", "replicas") or said("scale"), int) or 1),
        container_name=said("container_name"),
        ports=tuple(_ports(get("ports"))),
        user=said("user"),
        health=health,
        health_at=health_at,
        health_start=said("healthcheck", "start_period"),
        grace_s=_read(grace, parse_duration),
        restart=said("restart") or said("deploy", "restart_policy", "condition"),
        gpu=card,
        gpu_count=cards,
        gpu_both=both,
        volumes=tuple(_volumes(get("volumes"))),
        host_network=(said("network_mode") or Said("", place)).text.startswith(("host", "service:", "container:")),
    )


def _read(said: Said | None, parse: Callable[[str], Number]) -> Number | None:
    if said is None:
        return None
    try:
        return parse(said.text)
    except (ValueError, OverflowError) as error:
        raise SpecError(f"{said.text!r} cannot be read: {error}", where=str(said.place)) from error


def _pairs(view: View) -> dict[str, Said]:
    """A map, or a list of ``NAME=value``. What has no value, or one that nobody can know, is left out."""
    found = {name: value.said() for name, (_, value) in view.items().items()}
    for row in view.rows():
        name, equals, value = (row.text() or "").partition("=")
        found[name] = Said(value, row.place) if equals else None
    return {name: said for name, said in found.items() if said is not None}


def _command(
    keys: Mapping[str, tuple[Place, View]], dockerfile: Dockerfile | None, place: Place
) -> tuple[list[str], Place]:
    """The words that start the service, and where they are written: the compose file's, else the image's."""
    own = {key: _words(keys[key][1]) for key in ("entrypoint", "command") if key in keys}
    start = dockerfile.last("ENTRYPOINT") if dockerfile else None
    run = dockerfile.last("CMD") if dockerfile else None
    entry = own["entrypoint"] if "entrypoint" in own else image_words(start)
    command = own["command"] if "command" in own else ([] if "entrypoint" in own else image_words(run))
    script = bool(entry) and entry[0].endswith(".sh")  # an entry script ends in its arguments, as a rule
    at = keys["command"][0] if "command" in keys else (run or start).place if (run or start) else place  # type: ignore[union-attr]
    return (command if script and command else [*entry, *command]), at


def _words(view: View) -> list[str]:
    rows = view.rows()
    if rows:
        return [row.text() or row.raw() for row in rows]
    return split(view.text() or view.raw())


def _gpu(keys: Mapping[str, tuple[Place, View]]) -> tuple[Place | None, int | None, bool]:
    """Where a card is asked for, how many where it is said, and whether they are both counted and named."""
    if "gpus" in keys:
        return keys["gpus"][0], None, False
    if "runtime" in keys and keys["runtime"][1].text() == "nvidia":
        return keys["runtime"][0], None, False
    devices = keys["deploy"][1].at("resources", "reservations", "devices") if "deploy" in keys else None
    for row in devices.rows() if devices is not None else []:
        capabilities = row.at("capabilities")
        if capabilities is not None and any(one.text() in ("gpu", "nvidia") for one in capabilities.rows()):
            count, named = row.at("count"), row.at("device_ids")
            written = count.text() or count.raw() if count is not None else ""
            known = int(written) if written.isdigit() else None
            return row.place, len(named.rows()) if named is not None else known, None not in (count, named)
    plain = keys["devices"][1].rows() if "devices" in keys else []
    found = [row.place for row in plain if "nvidia" in (row.text() or "") or "/dev/dri" in (row.text() or "")]
    return (found[0] if found else None), None, False


def _health(
    keys: Mapping[str, tuple[Place, View]], dockerfile: Dockerfile | None
) -> tuple[tuple[str, ...] | None, Place | None]:
    if "healthcheck" in keys:
        place, view = keys["healthcheck"]
        disabled = view.said_at("disable")
        test = view.at("test")
        if disabled is not None and disabled.text.lower() == "true":
            return None, place
        if test is not None:
            words = [row.text() or row.raw() for row in test.rows()] or ["CMD-SHELL", test.text() or test.raw()]
            return (None if words[:1] == ["NONE"] else tuple(words)), test.place
    instruction = dockerfile.last("HEALTHCHECK") if dockerfile else None
    if instruction is None or instruction.text.upper() == "NONE":
        return None, None
    return ("CMD-SHELL", instruction.text.partition("CMD ")[2]), instruction.place


def _ports(view: View | None) -> list[Said]:
    found = []
    for row in [] if view is None else view.rows():
        text = row.text()
        if text is None and row.items():
            parts = [row.said_at(key) for key in ("host_ip", "published", "target")]
            text = ":".join(part.text if part else "" for part in parts)
        elif text is not None:
            pieces = text.split("/")[0].rsplit(":", 2)
            text = ":".join(["", *pieces] if len(pieces) == 2 else ["", "", *pieces] if len(pieces) == 1 else pieces)
        if text is not None:
            found.append(Said(text, row.place))
    return found


def _volumes(view: View | None) -> list[tuple[str, str, Place]]:
    found = []
    for row in [] if view is None else view.rows():
        text = row.text()
        if text is not None:
            source, colon, rest = text.partition(":")
            found.append((source if colon else "", rest.split(":")[0] if colon else source, row.place))
        elif row.items():
            parts = [(row.said_at(key) or Said("", row.place)).text for key in ("source", "target")]
            found.append((parts[0], parts[1], row.place))
    return found
