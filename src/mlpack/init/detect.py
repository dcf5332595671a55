"""``detect``: reads a project with one service and says what its mlpack.yaml should be, or asks for what is missing."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from mlpack.errors import UsageError
from mlpack.init.apps import FoundApp, Interface, find_apps
from mlpack.init.code import Module, read_modules
from mlpack.init.detected import ANSWERS, Detected, Questions, listed
from mlpack.init.environment import find_variables
from mlpack.init.files import project_files
from mlpack.init.models import choose_models
from mlpack.init.naming import as_name
from mlpack.init.packages import Packages, find_packages, project_name, python_version
from mlpack.init.ports import DEFAULT_PORT, find_ports
from mlpack.init.routes import Route, find_routes, health_route
from mlpack.init.wire import wire
from mlpack.runtimes.libraries import distributions

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
SERVERS: Mapping[str, frozenset[Interface]] = {  # in order of preference
    "gunicorn": frozenset(["wsgi", "asgi"]),
    "uvicorn": frozenset(["asgi"]),
}


def detect(root: Path, answers: Mapping[str, str], *, running: str = RUNNING) -> Detected:
    """What ``root`` holds. ``answers`` (keys of ANSWERS) win over what is found; ``running`` is this Python's version.

    Nothing of the project is imported or run. Raises one UsageError that names every flag to give.
    """
    unknown = sorted(set(answers) - set(ANSWERS))
    if unknown:
        raise UsageError(f"init does not ask for {listed(tuple(unknown))}", hint=f"it takes {', '.join(ANSWERS)}")
    questions = Questions()
    files = project_files(root)
    modules = read_modules(root, files)
    routes = find_routes(modules)
    packages = _packages(root, files, answers.get("requirements"), questions)
    named = _servers(packages.lines)
    app, interface = _app(find_apps(modules), modules, answers, named, questions)
    models = choose_models(root, files, modules, answers, requirements=packages.lines, questions=questions)
    why: dict[str, str] = {}
    detected = Detected(
        name=as_name(answers.get("name") or project_name(root), "app"),
        python=answers.get("python") or _noted(why, "python", *python_version(root, running)),
        requirements=packages.file or "",
        app=app.app if app else "",
        interface=interface,
        server=_server(answers.get("server"), named, interface, questions),
        endpoint=_endpoint(answers.get("endpoint"), routes, interface, questions),
        port=_port(answers.get("port"), find_ports(root, modules), why, questions),
        health=_health(answers.get("health"), routes, why, questions),
        models=models,
        env={},
        max_body_bytes=None,
        also_reads=(),
        post_path=next((route.path for route in routes if "POST" in route.methods), None),
        why=why,
    )
    questions.raise_if_any()
    if app is not None and app.where:
        why["app"] = app.where
    return wire(root, detected, find_variables(modules))


def _packages(root: Path, files: Sequence[PurePosixPath], wanted: str | None, questions: Questions) -> Packages:
    if wanted is not None and not (root / wanted).is_file():
        raise UsageError(f"there is no file {wanted!r}", where="--requirements", hint=ANSWERS["requirements"])
    packages = find_packages(root, files, wanted)
    if packages.file is None:
        alike = tuple(
            str(path) for path in files if "requirements" in path.name or path.name in ("environment.yml", "uv.lock")
        )
        found = f"found {listed(alike)}" if alike else "found none; `pip freeze` or `uv export` writes one"
        questions.ask("requirements", found)
    return packages


def _servers(lines: Sequence[str]) -> tuple[str, ...]:
    """The servers that the requirements install, preferred first. FastAPI's `standard` extra brings uvicorn."""
    present = distributions(lines)
    brings_uvicorn = any(line.replace(" ", "").lower().startswith("fastapi[") for line in lines)
    return tuple(name for name in SERVERS if name in present or (name == "uvicorn" and brings_uvicorn))


def _app(
    found: Sequence[FoundApp],
    modules: Sequence[Module],
    answers: Mapping[str, str],
    servers: Sequence[str],
    questions: Questions,
) -> tuple[FoundApp | None, Interface | None]:
    """The app to serve and its interface. An app that no installed server can serve is no candidate."""
    said = _interface(answers.get("interface"))
    wanted = answers.get("app")
    if wanted is not None:
        match = next((app for app in found if app.app.removesuffix("(...)") == wanted.partition("(")[0]), None)
        module = wanted.partition(":")[0]
        if match is None and module not in {known.name for known in modules}:
            raise UsageError(f"there is no module {module!r}", where="--app", hint=ANSWERS["app"])
        return FoundApp(wanted, "asgi", ""), said or (match.interface if match else None)
    able = frozenset[Interface]().union(*(SERVERS[name] for name in servers))
    fitting = [app for app in found if app.interface in able] or list(found)
    if "gunicorn" in servers and "uvicorn" not in servers and any(app.interface == "wsgi" for app in fitting):
        fitting = [app for app in fitting if app.interface == "wsgi"]  # Django's projects have both
    if len(fitting) == 1 and not fitting[0].app.endswith("(...)"):
        return fitting[0], said or fitting[0].interface
    candidates = {app.app: app.where for app in fitting}
    questions.ask("app", f"found {listed(candidates)}" if candidates else "no app of a known framework was found")
    interfaces = {app.interface for app in fitting}
    return None, said or (interfaces.pop() if len(interfaces) == 1 else None)


def _interface(said: str | None) -> Interface | None:
    known: tuple[Interface, ...] = ("wsgi", "asgi")
    if said is None or said in known:
        return next((interface for interface in known if interface == said), None)
    raise UsageError(f"{said!r} is no interface", where="--interface", hint=ANSWERS["interface"])


def _server(said: str | None, named: Sequence[str], interface: Interface | None, questions: Questions) -> str:
    if said is not None:
        if said not in SERVERS:
            raise UsageError(f"init cannot set up {said!r}", where="--server", hint=ANSWERS["server"])
        return said
    fitting = [name for name in named if interface is None or interface in SERVERS[name]]
    if not fitting:
        questions.ask("server", f"the requirements name no server for {interface or 'this'} apps")
    return fitting[0] if fitting else ""


def _endpoint(
    said: str | None, routes: Sequence[Route], interface: Interface | None, questions: Questions
) -> str | None:
    """How POST routes are written, where that matters: a WSGI app has threads only."""
    if said is not None:
        return said
    posts = {route.is_async: route.where for route in routes if "POST" in route.methods}
    if interface != "asgi" or not posts:
        return None
    if len(posts) == 2:
        questions.ask("endpoint", f"some POST routes are def ({posts[False]}), some async def ({posts[True]})")
    return "async" if True in posts else "def"


def _port(said: str | None, found: Mapping[int, str], why: dict[str, str], questions: Questions) -> int:
    if said is not None:
        if not said.isascii() or not said.isdigit() or not 1 <= int(said) <= 65535:
            raise UsageError(f"{said!r} is no port", where="--port", hint=ANSWERS["port"])
        return int(said)
    if len(found) > 1:
        questions.ask("port", f"found {listed({str(port): where for port, where in found.items()})}")
    for port, where in found.items():
        return int(_noted(why, "port", str(port), where))
    return DEFAULT_PORT


def _health(said: str | None, routes: Sequence[Route], why: dict[str, str], questions: Questions) -> str:
    if said is not None:
        return said
    found = health_route(routes)
    if found is None:
        gets = {route.path: route.where for route in routes if "GET" in route.methods}
        questions.ask("health", f"found GET {listed(gets)}" if gets else "no GET route was found")
        return ""
    return _noted(why, "health", found.path, found.where)


def _noted(why: dict[str, str], key: str, value: str, where: str) -> str:
    """``value``, with a note of where it was read."""
    why[key] = where
    return value
