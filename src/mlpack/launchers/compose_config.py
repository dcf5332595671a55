"""What the merged configuration of a compose project says of its services (`docker compose config`). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NO_RESTART = "no"
CONDITIONS = {"none": NO_RESTART, "any": "always", "on-failure": "on-failure"}
"""`deploy.restart_policy.condition` in the words of `restart`, which compose makes of it where that is not said."""


def written_folders(config: Mapping[str, Any]) -> tuple[str, ...]:
    """A line for each folder of this machine that a service may write to: requests then leave traces in it."""
    return tuple(
        f"{name} writes to {mount['source']}: what requests store there stays"
        for name, service in config["services"].items()
        for mount in service.get("volumes") or ()
        if mount["type"] == "bind" and not mount.get("read_only")
    )


def platforms(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Platforms that the configuration asks for by name, sorted."""
    services = config["services"].values()
    named = {service["platform"] for service in services if service.get("platform")}
    return tuple(sorted(named | {p for service in services for p in (service.get("build") or {}).get("platforms", ())}))


def restart_policies(config: Mapping[str, Any]) -> dict[str, str]:
    """Service -> when the engine starts it again, in the engine's words; "no" where nothing is said."""
    found = {}
    for name, service in config["services"].items():
        said = ((service.get("deploy") or {}).get("restart_policy") or {}).get("condition", "none")
        found[name] = service.get("restart") or CONDITIONS.get(said, NO_RESTART)
    return found
