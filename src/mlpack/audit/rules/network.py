"""Names and ports: what cannot exist twice, localhost that is the container itself, upstreams looked up once."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlpack.audit.deployment import Deployment
from mlpack.audit.finding import Hit, Rule

_LOCAL = re.compile(
    r"^(redis|rediss|amqp|postgres(ql)?(\+\w+)?|mysql(\+\w+)?|mongodb|ray|http)://([^/@]*@)?(localhost|127\.0\.0\.1)([:/]|$)"
)
_BACKEND = re.compile(
    r"REDIS|BROKER|BACKEND_URL|DATABASE|OLLAMA|LLM|RAY|CELERY|POSTGRES|DB_|MODEL_(URL|SERVER)|API_BASE"
)
_ELSEWHERE = re.compile(r"^(REACT_APP|VITE|NEXT_PUBLIC|NUXT_PUBLIC|PUBLIC|EXPO_PUBLIC|VUE_APP|GATSBY)_|ORIGIN|CORS")
"""Read by a browser, or a list of who may ask: there localhost is the user's own machine."""


def replicas(deployment: Deployment) -> Iterator[Hit]:
    """A fixed name or port with more than one replica."""
    for one in deployment.services:
        if one.replicas < 2:
            continue
        if one.container_name is not None:
            yield Hit(
                one.container_name.place,
                one.name,
                f"container_name: {one.container_name.text}, {one.replicas} replicas",
                "no container_name",
                "a name exists once: the second replica does not start",
            )
        for said in one.ports:
            published = said.text.split(":")[-2] if said.text.count(":") else ""
            if published and "-" not in published:
                yield Hit(
                    said.place,
                    one.name,
                    f"port {published}, {one.replicas} replicas",
                    "no ports: the proxy reaches it by its name",
                    "a port exists once: the second replica does not start",
                )


def scaled(deployment: Deployment) -> Iterator[Hit]:
    """A fixed name behind a balancing proxy."""
    upstreams = {
        word
        for file in deployment.nginx
        for name, words, block, _ in file.directives
        if name == "server" and "upstream" in block
        for word in words[:1]
    }
    for one in deployment.services:
        if (
            one.container_name
            and one.replicas < 2
            and any(word.split(":")[0] in (one.name, one.container_name.text) for word in upstreams)
        ):
            yield Hit(
                one.container_name.place,
                one.name,
                f"container_name: {one.container_name.text}",
                "no container_name",
                "`--scale` is impossible with it, and a proxy balances over this service",
            )


def localhost(deployment: Deployment) -> Iterator[Hit]:
    """localhost inside a container."""
    for one in deployment.services:
        for name, said in one.environment.items() if not one.host_network else ():
            if _ELSEWHERE.search(name.upper()):
                continue
            host = name.upper().endswith("_HOST") and said.text in ("localhost", "127.0.0.1")
            if (_LOCAL.match(said.text) and not said.text.startswith("http")) or (
                _BACKEND.search(name.upper()) and (host or _LOCAL.match(said.text))
            ):
                yield Hit(
                    said.place,
                    one.name,
                    f"{name}={said.text}",
                    "the other service's name, or host.docker.internal",
                    "inside a container localhost is that container",
                )
    contained = {
        source
        for one in deployment.services
        if not one.host_network
        for source, target, _ in one.volumes
        if "nginx" in target
    }
    for file in deployment.nginx:
        if not any(file.file.endswith(source.lstrip("./")) for source in contained):
            continue
        for name, words, block, place in file.directives:
            server = name == "server" and block.rpartition(" > ")[2].startswith("upstream")
            if (
                (server or name.endswith("_pass"))
                and words
                and re.match(r"^(https?://)?(localhost|127\.0\.0\.1)([:/]|$)", words[0])
            ):
                yield Hit(
                    place,
                    None,
                    f"{name} {words[0]}",
                    "the other service's name",
                    "inside a container localhost is that container",
                    "error",
                )


def upstream(deployment: Deployment) -> Iterator[Hit]:
    """Upstreams that name replicas one by one, or are looked up once."""
    names = {one.name: one for one in deployment.services}
    for file in deployment.nginx:
        blocks: dict[str, list[tuple[str, tuple[str, ...], int]]] = {}
        for name, words, block, place in file.directives:
            if name == "server" and words and block.rpartition(" > ")[2].startswith("upstream"):
                blocks.setdefault(block, []).append((words[0], words, place.line))
        for block, servers in blocks.items():
            place = next(
                place for name, words, inside, place in file.directives if inside == block and name == "server"
            )
            listed = ", ".join(server for server, _, _ in servers)
            one = names.get(servers[0][0].split(":")[0])
            if len(servers) > 1:
                yield Hit(
                    place,
                    None,
                    f"{block.rpartition(' > ')[2]}: {listed}",
                    "one name for all replicas, looked up while it runs (resolver, and a variable in proxy_pass)",
                    "hard-wired: `--scale` adds replicas that get no request",
                )
            elif one is not None and one.replicas > 1 and "resolve" not in servers[0][1]:
                yield Hit(
                    place,
                    None,
                    f"server {listed}",
                    "a resolver, and a variable in proxy_pass; or `resolve` (nginx 1.27.3)",
                    f"the name is looked up once, at start: replicas of {one.name} that come later get no request",
                )


def unseen(deployment: Deployment) -> Iterator[Hit]:
    """Files in a volume that a worker on the host cannot see."""
    units = [one for one in deployment.services if one.is_unit and one.program.kind in ("celery", "python", "other")]
    for one in deployment.services if units else ():
        if one.is_unit or one.program.kind in ("redis", "postgres", "nginx", "ollama", "flower"):
            continue
        for source, target, place in one.volumes:
            if source and source[0] not in "./~" and one.program.kind in ("uvicorn", "gunicorn", "python"):
                yield Hit(
                    place,
                    one.name,
                    f"{source}:{target}",
                    f"a bind mount with the same path on both sides, as {target}:{target}",
                    f"{units[0].name} runs on the host, where the files of a Docker volume are not to be seen",
                )


FACTS = "docs/facts.md, Docker"
RULES = (
    Rule(
        "fixed-with-replicas", "error", "A fixed name or port with replicas", "Compose: container_name, ports", replicas
    ),
    Rule("fixed-name", "warning", "A fixed name behind a balancer", "Compose: container_name", scaled),
    Rule("localhost", "warning", "localhost inside a container", "Docker: networking", localhost),
    Rule("upstream-fixed", "warning", "Upstreams that do not follow replicas", FACTS, upstream),
    Rule("volume-unseen", "warning", "A volume that the host's worker does not see", "Docker: volumes", unseen),
)
