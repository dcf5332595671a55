"""Reads the files of an existing deployment and what they refer to, in bounded size; runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from mlpack.audit.code import read_code
from mlpack.audit.compose import Built, built, service_of, services_of
from mlpack.audit.deployment import Code, Deployment, Dockerfile, NginxFile, Service
from mlpack.audit.dockerfile import read_dockerfile
from mlpack.audit.found import find_libraries, find_models, gunicorn_settings
from mlpack.audit.nginx import read_nginx
from mlpack.audit.nodes import MAX_BYTES, read_nodes
from mlpack.audit.place import Place, Said
from mlpack.audit.units import read_unit
from mlpack.errors import MlpackError, SpecError, UsageError
from mlpack.host import HostFacts
from mlpack.init.files import project_files


@dataclass
class _Reading:
    """What is collected on the way; ``folders`` are read once each."""

    services: list[Service] = field(default_factory=list)
    dockerfiles: dict[str, Dockerfile] = field(default_factory=dict)
    nginx: dict[str, NginxFile] = field(default_factory=dict)
    given: list[Path] = field(default_factory=list)
    """Dockerfiles of the command line."""
    unread: list[str] = field(default_factory=list)
    folders: dict[Path, tuple[PurePosixPath, ...]] = field(default_factory=dict)


def read_deployment(paths: Sequence[Path], host: HostFacts | None, host_name: str = "") -> Deployment:
    """All that ``paths`` (compose files, Dockerfiles, units, nginx files) say. Raises SpecError, UsageError."""
    if not paths:
        raise UsageError("no file to audit", hint="mlpack audit docker-compose.yml [Dockerfile ...]")
    reading = _Reading()
    for path in sorted(paths, key=lambda path: path.suffix in (".yml", ".yaml", ".json")):  # what they refer to, first
        _read_file(path, reading)
    code = Code()
    conda: list[str] = []
    for folder, files in reading.folders.items():
        if not code.read:
            code = read_code(folder, files, _shown(folder))
        conda += [_shown(folder / str(file)) for file in files if file.name in ("environment.yml", "environment.yaml")]
    return Deployment(
        services=tuple(reading.services),
        dockerfiles=tuple(reading.dockerfiles.values()),
        nginx=tuple(reading.nginx.values()),
        code=code,
        host=host,
        host_name=host_name,
        conda=tuple(conda),
        unread=tuple(dict.fromkeys(reading.unread)),
    )


def _read_file(path: Path, reading: _Reading) -> None:
    raw, name = _bytes(path), path.name.lower()
    if name.endswith((".yml", ".yaml", ".json")):
        _read_compose(path, raw, reading)
    elif name.endswith(".service"):
        unit = read_unit(_text(raw, path), str(path), path.stem)
        if unit is None:
            raise SpecError("no [Service] in it: not a service unit", where=str(path))
        reading.services.append(unit)
    elif "dockerfile" in name or "containerfile" in name:
        reading.given.append(path)
        reading.dockerfiles[_shown(path)] = read_dockerfile(_text(raw, path), _shown(path))
    elif name.endswith(".conf"):
        reading.nginx[str(path)] = read_nginx(_text(raw, path), str(path))
    else:
        hint = "known are *.yml and *.yaml (compose), Dockerfile*, *.Dockerfile, *.service and nginx's *.conf"
        raise UsageError("cannot tell what this file is from its name", where=str(path), hint=hint)


def _read_compose(path: Path, raw: bytes, reading: _Reading) -> None:
    folder = path.parent
    root = read_nodes(raw, str(path), {name: said.text for name, said in _env_file(folder / ".env").items()})
    found = services_of(root, str(path))
    made = {name: built(keys) for name, keys in found.items()}
    images = {keys["image"][1].text(): name for name, keys in found.items() if "image" in keys and made[name]}
    for name, keys in found.items():
        source = made[name]
        if source is None and "image" in keys:  # built by another service of the file
            source = made.get(images.get(keys["image"][1].text(), ""))
        dockerfile = None if source is None else _dockerfile(folder, source, reading)
        service = service_of(name, keys, dockerfile, lambda said: _service_env(folder, said, reading))
        context = (folder / source.context).resolve() if source else None
        if context is not None and context.is_dir() and "://" not in source.context:  # type: ignore[union-attr]
            files = reading.folders.setdefault(context, project_files(context))
            service = replace(
                service,
                folder=str(context),
                libraries=find_libraries(context, files, dockerfile, service.program, _shown(context)),
                program=gunicorn_settings(context, service.program, _shown(context)),
            )
        if service.runtimes or service.program.kind in ("ollama", "llama-server"):
            service = replace(service, models=find_models(folder, context, service, reading.unread))
        reading.services.append(service)
        for mounted, target, _ in service.volumes:
            config = folder / mounted
            if mounted.endswith(".conf") and "nginx" in target and config.is_file():
                shown = _shown(config)
                reading.nginx[shown] = read_nginx(_text(_bytes(config), config), shown)


def _dockerfile(folder: Path, source: Built, reading: _Reading) -> Dockerfile | None:
    context = folder / source.context
    path = context / (source.dockerfile or "Dockerfile")
    if not path.is_file() and len(reading.given) == 1:  # kept elsewhere, and named on the command line
        path = reading.given[0]
    if "://" in source.context or not path.is_file():
        reading.unread.append(f"{_shown(path)}: not there, so nothing is said of this image")
        return None
    ignore = (path.with_name(f"{path.name}.dockerignore"), context / ".dockerignore")
    ignores = any(one.is_file() for one in ignore)
    shown = _shown(path)
    text = _text(_bytes(path), path)
    found = read_dockerfile(text, shown, target=source.target, ignores=ignores, args=source.args)
    reading.dockerfiles[shown] = found
    return found


def _service_env(folder: Path, said: Said, reading: _Reading) -> Mapping[str, Said]:
    path = folder / said.text
    if not path.is_file():
        reading.unread.append(f"{_shown(path)}: not there, so its variables are not known ({said.place})")
    return _env_file(path)


def _env_file(path: Path) -> dict[str, Said]:
    """NAME=value lines; empty where there is no such file."""
    try:
        text = path.read_text(encoding="utf-8-sig") if path.stat().st_size <= MAX_BYTES else ""
    except (OSError, UnicodeDecodeError):
        return {}
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            value = value.strip()
            quoted = value[:1] in ("'", '"') and value.endswith(value[:1]) and len(value) > 1
            found[name.strip()] = Said(value[1:-1] if quoted else value.split(" #")[0], Place(_shown(path), number))
    return found


def _bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise UsageError("is a folder", where=str(path), hint="name the compose file in it")
        if path.stat().st_size > MAX_BYTES:
            raise SpecError(f"the file is larger than {MAX_BYTES // 1024} KiB", where=str(path))
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise MlpackError(f"cannot be read: {reason}", where=str(path)) from error


def _text(raw: bytes, path: Path) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError("the file is not UTF-8 text", where=str(path), hint="save it as UTF-8") from error


def _shown(path: Path) -> str:
    """The path as a reader finds it from here."""
    here = Path.cwd()
    whole = Path(path).resolve()
    return whole.relative_to(here).as_posix() if whole.is_relative_to(here) else whole.as_posix()
