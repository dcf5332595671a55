"""The programs of units: argv as a host runs it, the user it runs as, and where its own data and settings lie."""

from __future__ import annotations

import re
from posixpath import dirname

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.servers import SERVERS
from mlpack.servers.heartbeat import watchdog_words
from mlpack.servers.proxy import PROXY_FILES
from mlpack.spec import ServerName
from mlpack.targets.base import app_uid
from mlpack.targets.images import effective_build

PYTHON_SERVERS: frozenset[ServerName] = frozenset({"gunicorn", "uvicorn", "celery"})
"""Run as modules of the environment's Python: scripts in its bin/ name the folder that they were installed to."""
PROGRAMS: dict[ServerName, str] = {"redis": "redis-server", "caddy": "caddy", "nginx": "nginx"}
"""Found in systemd's own fixed search path; packages put them there."""
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,31}")
HIDDEN_HOMES = ("/home/", "/root/", "/run/user/")
"""What ProtectHome=yes hides."""


def python_of(plan: Plan, name: str) -> str:
    """The Python with service ``name``'s packages: the one named by ``host.python``, else the one install.sh makes."""
    return plan.spec.host.python or f"{environment_folder(plan, name)}/bin/python"


def environment_folder(plan: Plan, name: str) -> str:
    """The environment that install.sh makes for service ``name``: from conda's file, or from requirements."""
    return f"{plan.spec.root_path}/{'.conda' if effective_build(plan, name).conda else '.venv'}"


def own_environment(plan: Plan) -> bool:
    """install.sh makes and fills the environment; one that the user names is only looked at."""
    return plan.spec.host.python is None


def user_of(plan: Plan) -> str:
    """Who runs the project's own code. Raises SpecError for what is no user's name."""
    user = plan.spec.host.user or plan.name
    if not _USER.fullmatch(user):
        raise SpecError(f"{user!r} is no user's name", where="host.user", hint="letters, digits, - and _")
    return user


def user_made(plan: Plan) -> bool:
    """install.sh makes the user, with the uid that containers have: both may then share folders."""
    return plan.spec.host.user is None


def runs_code(plan: Plan, name: str) -> bool:
    """The service runs the project's code, not a program of the system."""
    return plan.services[name].server in PYTHON_SERVERS


def state_folder(plan: Plan, name: str) -> str:
    """Where a program of the system keeps its data: systemd makes it, owned by the unit's own user."""
    return f"/var/lib/{plan.name}-{name}"


def config_folder(plan: Plan) -> str:
    """Where install.sh puts environments and settings."""
    return f"/etc/{plan.name}"


def unit_argv(plan: Plan, name: str) -> tuple[str, ...]:
    """The command of service ``name`` on a host. Raises SpecError for what units cannot run yet."""
    service = plan.services[name]
    argv = SERVERS[service.server].argv(plan, name)
    if more := watchdog_words(plan, name):
        at = argv.index("--")  # what follows are Celery's settings
        argv = (*argv[:at], *more, *argv[at:])
    if service.server in PYTHON_SERVERS:
        return (python_of(plan, name), *argv[1:]) if argv[0] == "python" else (python_of(plan, name), "-m", *argv)
    if service.server == "redis":
        # on standard input: in argv every user of the machine could read the password
        script = 'exec redis-server - "$@" <<END\nrequirepass "$REDISCLI_AUTH"\nEND\n'
        return ("/bin/sh", "-c", script, *argv, "--dir", state_folder(plan, name))
    if service.server in PROXY_FILES:
        # its file is where install.sh puts it, whatever the image's place is
        at = argv.index("--config") + 1
        return (*argv[:at], f"{config_folder(plan)}/{name}.{PROXY_FILES[service.server]}", *argv[at + 1 :])
    raise SpecError(
        f"{service.server} is not run as a unit by mlpack yet",
        where=f"services.{name}.target",
        hint="write `target: compose` for it",
    )


def variables_of(plan: Plan, name: str) -> tuple[tuple[str, str], ...]:
    """What a unit sets beside its environment file: nothing that anybody may want to change."""
    if runs_code(plan, name):
        path = f"{dirname(python_of(plan, name))}:/usr/local/bin:/usr/bin:/bin"
        common = (("PATH", path), ("PYTHONUNBUFFERED", "1"), ("PYTHONDONTWRITEBYTECODE", "1"), ("HOME", "/tmp"))
        gpu = plan.services[name].gpu
        return (*common, *((key, made.value) for key, made in gpu.environment.items())) if gpu else common
    if plan.services[name].server == "caddy":
        folder = state_folder(plan, name)
        return (("HOME", folder), ("XDG_DATA_HOME", folder), ("XDG_CONFIG_HOME", folder))
    return ()


def needs_home(plan: Plan, name: str) -> bool:
    """Something that the unit reads lies where homes are."""
    paths = (plan.spec.root_path, python_of(plan, name)) if runs_code(plan, name) else ()
    return any(path.startswith(HIDDEN_HOMES) for path in paths)


def shared_uid(plan: Plan) -> int | None:
    """The uid of containers that share folders with units; None where nothing runs in a container."""
    return app_uid(plan) if any(service.target != "systemd" for service in plan.services.values()) else None
