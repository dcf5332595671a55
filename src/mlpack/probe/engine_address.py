"""Where the container engine listens, as the docker command would find it: variables, contexts, the default socket.

Pure parts; the files are read by ``address_of``. https://docs.docker.com/engine/manage-resources/contexts/
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlpack.probe.json_fields import parse_object, text_field
from mlpack.probe.reading import read_text

if TYPE_CHECKING:
    from mlpack.probe.outside import Outside

DEFAULT_SOCKET = "/var/run/docker.sock"


class Address(NamedTuple):
    """A socket's path, or host and port; ``problem`` says why the engine there is not asked."""

    said_by: str
    """What names it: DOCKER_HOST, a context, or the default."""
    socket: str | None = None
    host: str | None = None
    port: int = 2375
    problem: str | None = None

    def __str__(self) -> str:
        place = self.socket or (f"{self.host}:{self.port}" if self.host else "the container engine")
        return place if self.said_by == "default" else f"{place} ({self.said_by})"


def parse_address(text: str, said_by: str, *, tls: bool = False) -> Address:
    """The address in ``text``: ``unix:///path`` or ``tcp://host:port``; what mlpack does not speak is a problem."""
    scheme, separator, rest = text.strip().partition("://")
    if separator and scheme == "unix" and rest.startswith("/"):
        return Address(said_by, socket=rest)
    if separator and scheme in ("tcp", "http"):
        host, colon, port = rest.rstrip("/").rpartition(":")
        if not colon:
            host, port = rest.rstrip("/"), "2375"
        if not host or not port.isdecimal() or not 0 < int(port[:6]) < 65536:
            return Address(said_by, problem=f"{text[:200]!r} of {said_by} is not tcp://host:port")
        problem = f"{text} wants TLS; mlpack reads plain tcp and unix sockets only" if tls else None
        return Address(said_by, host=host.strip("[]"), port=int(port), problem=problem)
    how = "mlpack reads an engine through unix:// or tcp:// only"
    return Address(said_by, problem=f"{said_by} is {text[:200]!r}: {how}")


def address_of(outside: Outside) -> Address:
    """Where the docker command would look: DOCKER_HOST, then DOCKER_CONTEXT or the chosen context, then the default."""
    environ = outside.environ
    tls = bool(environ.get("DOCKER_TLS_VERIFY") or environ.get("DOCKER_TLS"))
    if host := environ.get("DOCKER_HOST"):
        return parse_address(host, "DOCKER_HOST", tls=tls)
    folder = config_folder(outside)
    chosen = text_field(parse_object(read_text(folder / "config.json")), "currentContext")
    context = environ.get("DOCKER_CONTEXT") or chosen
    if context and context != "default":
        return _of_context(context, folder)
    if outside.uname().system == "Windows":
        return Address("default", problem="the engine's named pipe is not read on Windows: run mlpack inside WSL 2")
    return Address("default", socket=str(outside.at(DEFAULT_SOCKET)))


def config_folder(outside: Outside) -> Path:
    """Where the docker command keeps its configuration, contexts and plugins."""
    chosen = outside.environ.get("DOCKER_CONFIG")
    return Path(chosen) if chosen else outside.home / ".docker"


def _of_context(context: str, folder: Path) -> Address:
    """A context's file lies in a folder named by the SHA-256 of the context's name."""
    from hashlib import sha256

    said_by = f"context {context}"
    path = folder / "contexts" / "meta" / sha256(context.encode(errors="replace")).hexdigest() / "meta.json"
    host = text_field(parse_object(read_text(path)), "Endpoints", "docker", "Host")
    if host is None:
        return Address(said_by, problem=f"Docker's {said_by} is chosen but {path} names no host")
    tls = (path.parents[2] / "tls" / path.parent.name).is_dir()
    return parse_address(host, said_by, tls=tls)
