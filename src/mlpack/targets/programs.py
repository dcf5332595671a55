"""What ready-made programs (queue, database, proxy, watcher) need of a container besides the common hardening.

Each runs as the user that its official image made for it, so that no capability is left but what is named here; another
image of the user's keeps its own start as root, with the capabilities that such starts use.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.plan import Plan, ServicePlan
from mlpack.servers import SERVERS, ollama
from mlpack.servers.heartbeat import heartbeat_test
from mlpack.servers.proxy import PROXY_FILES
from mlpack.servers.ray import VARIABLES as RAY_VARIABLES
from mlpack.servers.ray import head_path
from mlpack.servers.secrets import FOLDER, password_file
from mlpack.spec import ServerName
from mlpack.targets.base import APP_UID, containers
from mlpack.targets.images import is_built_here, ready_made

STARTS_AS_ROOT = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")
"""What entry scripts use that prepare their data as root and then change user (gosu, su-exec)."""
LOOPBACK = "127.0.0.1"
FACING_ROLES = frozenset({"app", "proxy"})
"""What may be published to other machines; a published queue or database is for programs of this host."""


@dataclass(frozen=True)
class Program:
    """One program's container. ``data`` outlives containers; ``scratch`` are folders in memory beside /tmp."""

    uid: int | None = None
    gid: int | None = None
    """None: as ``uid``."""
    capabilities: tuple[str, ...] = ()
    data: str | None = None
    scratch: tuple[str, ...] = ()
    config: str | None = None
    """Where its rendered settings are mounted."""
    entrypoint: tuple[str, ...] = ()
    """Replaces the image's, which would put its own words before ours."""


PROGRAMS: dict[ServerName, Program] = {
    # ids: the official images' own Dockerfiles (redis and postgres on Alpine; flower's user is 1000)
    "redis": Program(uid=999, gid=1000, data="/data"),
    # its socket's folder is part of the read-only root
    "postgres": Program(uid=70, data="/var/lib/postgresql/data", scratch=("/var/run/postgresql",)),
    "flower": Program(uid=1000),
    "nginx": Program(uid=101, config="/etc/nginx/nginx.conf"),
    # root without rights, as the image's folders are root's; its binary carries a file capability, and without the
    # same one in the container it does not even start (measured, facts.md)
    "caddy": Program(
        capabilities=("NET_BIND_SERVICE",), data="/data", scratch=("/config",), config="/etc/caddy/Caddyfile"
    ),
    # root without rights, as the image's folders are root's; its keys and models are below its home
    "ollama": Program(data="/root/.ollama", entrypoint=("/bin/ollama",)),
    "llama_server": Program(uid=APP_UID, entrypoint=("/app/llama-server",)),
}


def program_view(plan: Plan, name: str) -> dict[str, object]:
    """User, capabilities, entry point and mounted secrets of service ``name``."""
    program = PROGRAMS.get(plan.services[name].server)
    if program is None or is_built_here(plan, name):
        return {"user": None, "capabilities": (), "entrypoint": None, "secrets": (), "scratch": ()}
    official = ready_made(plan, name) is not None
    uid, gid = program.uid, program.uid if program.gid is None else program.gid
    return {
        "user": f"{uid}:{gid}" if official and uid is not None else None,
        "capabilities": program.capabilities if official else STARTS_AS_ROOT,
        "entrypoint": program.entrypoint or None,
        "secrets": secret_mounts(plan, name),
        "scratch": tuple(f"{folder}:mode=1777,size=1m" for folder in program.scratch),
    }


def program_argv(plan: Plan, name: str) -> tuple[str, ...]:
    """The container's command: the server's argv, less what the entry point says already.

    Redis takes its password on standard input: in argv every user of the machine could read it.
    """
    argv = SERVERS[plan.services[name].server].argv(plan, name)
    if plan.services[name].server == "redis" and not is_built_here(plan, name):
        # "$@" keeps the words whole; a here document is no argument and no file that outlives the start
        script = 'exec redis-server - "$@" <<END\nrequirepass "$REDISCLI_AUTH"\nEND\n'
        return ("sh", "-c", script, *argv, "--dir", PROGRAMS["redis"].data or ".")
    program = PROGRAMS.get(plan.services[name].server)
    return argv[1:] if program is not None and program.entrypoint else argv


def program_mounts(plan: Plan, name: str) -> list[dict[str, object]]:
    """The volume that holds the program's data, and its rendered settings."""
    server = plan.services[name].server
    program = PROGRAMS.get(server)
    if program is None or is_built_here(plan, name):
        return []
    found: list[dict[str, object]] = []
    if program.data is not None:
        found.append({"type": "volume", "source": data_volume(name), "target": program.data, "read_only": False})
    if program.config is not None:
        source = f"./{name}.{PROXY_FILES[server]}"
        found.append({"type": "bind", "source": source, "target": program.config, "read_only": True})
    return found


def data_volume(name: str) -> str:
    """The volume of service ``name``'s own data."""
    return f"{name}-data"


def program_volumes(plan: Plan) -> tuple[str, ...]:
    """Volumes of all programs' own data."""
    mounts = (mount for name in containers(plan) for mount in program_mounts(plan, name))
    return tuple(str(mount["source"]) for mount in mounts if mount["type"] == "volume")


def secret_mounts(plan: Plan, name: str) -> tuple[str, ...]:
    """Secrets that the program reads as files below /run/secrets."""
    file = password_file(plan, name)
    return (file,) if file else tls_files(plan, name)


def tls_files(plan: Plan, name: str) -> tuple[str, ...]:
    """Certificate and key of a proxy that fetches none by itself."""
    wanted = plan.services[name].server == "nginx" and plan.spec.services[name].domain is not None
    return (f"{name}.crt", f"{name}.key") if wanted else ()


def program_variables(plan: Plan, name: str) -> dict[str, tuple[str, str]]:
    """Variable -> value and reason: pointers at secret files, and Ray's own settings; none is a secret."""
    if plan.services[name].server == "ray":
        return dict(RAY_VARIABLES)
    if plan.services[name].server == "ollama":
        return ollama.variables(plan, name)
    password, file = SERVERS[plan.services[name].server].FACTS.password, password_file(plan, name)
    return {password.variable: (f"{FOLDER}/{file}", "made by deploy.sh")} if password is not None and file else {}


def health_test(plan: Plan, name: str) -> list[str] | None:
    """How a ready-made program tells its health, with what its image has; None where nothing asks it."""
    service = plan.services[name]
    if service.server == "celery":
        return heartbeat_test(plan, name)
    if service.server == "redis":
        # redis-cli exits 0 whatever the answer was: loading and a wrong password must not pass
        return ["CMD-SHELL", f'test "$(redis-cli -p {_port(service)} ping)" = PONG']
    if service.server == "ray" and service.health is not None:
        patience = f"{service.health.timeout_s.value - 0.5:g}"
        return ["CMD", "python", "-I", "-S", f"{plan.spec.root_path}/{head_path(plan, name)}", "health", patience]
    if service.server == "postgres":
        argv = SERVERS["postgres"].FACTS.health_argv or ()
        return ["CMD", *argv, "--port", str(_port(service))]
    if service.server == "ollama":
        return ["CMD", *(ollama.FACTS.health_argv or ())]  # the image has no curl
    if service.server == "llama_server" and service.health is not None and service.health.path is not None:
        # the image's own check uses curl too
        patience = f"{service.health.timeout_s.value - 0.5:g}"
        url = f"http://127.0.0.1:{_port(service)}{service.health.path}"
        return ["CMD", "curl", "--fail", "--silent", "--show-error", "--max-time", patience, url]
    return None


def _port(service: ServicePlan) -> int:
    port = service.port or SERVERS[service.server].FACTS.port
    assert port is not None, f"{service.server} listens"
    return port


def listens_on(plan: Plan, name: str) -> str:
    """The host address that a published port of service ``name`` gets."""
    facing = SERVERS[plan.services[name].server].FACTS.role in FACING_ROLES
    return plan.spec.settings.publish_host if facing else LOOPBACK
