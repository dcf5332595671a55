"""The compose file that verify lays over the rendered one: free ports, own names, labels, this machine's build network.

Nothing that bounds or shapes a service is touched: limits, user, mounts, health checks stay as rendered.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mlpack.launchers.base import Deployment
from mlpack.launchers.owner import LABEL
from mlpack.launchers.pip_settings import BuildNetwork
from mlpack.servers.caddy import CONFIG_FILE as CADDY_CONFIG

VERIFY_TAG = "mlpack-verify"
"""Images that verify builds are kept under this tag, as a cache; the user's own tag is never moved."""


class _Replaced(list[Any]):
    """A list that replaces the one below it, where compose would append (`!override`)."""


class _Removed:
    """A value that takes the one below it away (`!reset`)."""


class _Dumper(yaml.SafeDumper):
    """Plain YAML without anchors, which would make one list's tag count for two."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


_Dumper.add_representer(_Replaced, lambda dumper, value: dumper.represent_sequence("!override", value))
_Dumper.add_representer(_Removed, lambda dumper, _: dumper.represent_scalar("!reset", "null"))


def override_file(
    deployment: Deployment,
    config: Mapping[str, Any],
    network: BuildNetwork,
    settings: Mapping[str, Path] | None = None,
) -> str:
    """The YAML text. ``config``: what `docker compose config --format json` says of the files below. ``settings``:
    service -> a file to mount in place of its rendered Caddyfile."""
    owner = deployment.owner
    labels = {LABEL: owner.label}
    built = {service["image"] for service in config["services"].values() if "build" in service and "image" in service}
    services = {
        name: {"labels": labels, **_service(service, built, network, _ports(deployment, name, service))}
        for name, service in config["services"].items()
    }
    for name, path in (settings or {}).items():
        # compose merges mounts by their target
        bind = {"type": "bind", "source": _literal(str(path)), "target": CADDY_CONFIG, "read_only": True}
        services[name]["volumes"] = [bind]
    value: dict[str, Any] = {"services": services}
    for kind in ("networks", "volumes"):
        own = {
            key: {"name": f"{owner.project}_{key}", "labels": labels}
            for key, thing in (config.get(kind) or {}).items()
            if not (thing or {}).get("external")
        }
        if own:
            value[kind] = own
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=1000)


def verify_image(image: str) -> str:
    """``embedding:latest`` -> ``embedding:mlpack-verify``; a digest or a registry's port is no tag."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}:{VERIFY_TAG}"


def _ports(deployment: Deployment, name: str, rendered: Mapping[str, Any]) -> set[int]:
    """Ports inside that get a free one outside: those published, and one that checks must reach although nothing
    publishes it. None of a service whose own numbers stay."""
    if name in deployment.pinned:
        return set()
    service = deployment.plan.services.get(name)
    extra = service.port if service is not None and name in deployment.reach else None
    published = {int(port["target"]) for port in rendered.get("ports") or ()}
    return published if extra is None else published | {extra}


def _service(service: Mapping[str, Any], built: set[str], network: BuildNetwork, targets: set[int]) -> dict[str, Any]:
    value: dict[str, Any] = {"restart": "no"}  # a crash must be seen, not repeated
    if service.get("image") in built:
        value["image"] = verify_image(service["image"])
    if "container_name" in service:
        value["container_name"] = _Removed()
    if targets:
        # published "0": the engine picks a free port, so that nothing can be taken
        value["ports"] = _Replaced({"target": t, "host_ip": "127.0.0.1", "published": "0"} for t in sorted(targets))
    if "build" in service:
        value["build"] = _build(service["build"], network)
    return value


def _build(build: Mapping[str, Any], network: BuildNetwork) -> dict[str, Any]:
    """Build settings to add. A wheels folder that the project itself names stays the project's."""
    value: dict[str, Any] = {}
    if network.args:
        value["args"] = {name: _literal(text) for name, text in network.args.items()}
    if network.wheels is not None and "wheels" not in (build.get("additional_contexts") or {}):
        value["additional_contexts"] = {"wheels": _literal(network.wheels)}
    return value


def _literal(text: str) -> str:
    """Compose expands ``$`` in every value."""
    return text.replace("$", "$$")
