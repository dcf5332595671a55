"""Whose certificate a proxy under test shows, and how one that would ask a public authority shows its own instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mlpack.errors import VerifyError
from mlpack.plan import Plan
from mlpack.servers.proxy import PROXY_FILES, proxy_config_path, site
from mlpack.targets.compose_service import SECRETS

CADDY_ROOT = "/data/caddy/pki/authorities/local/root.crt"
"""Where Caddy keeps the certificate of its own authority (XDG_DATA_HOME is /data in its image)."""
LOCAL_CERTIFICATES = "\tlocal_certs\n\tskip_install_trust\n"
"""Global options of a Caddyfile: every certificate is of Caddy's own authority, which nobody is made to trust."""


def domain_of(plan: Plan, name: str) -> str | None:
    """The domain that service ``name`` serves by HTTPS; None where it is no proxy or has none."""
    service = plan.services.get(name)
    return plan.spec.services[name].domain if service is not None and service.server in PROXY_FILES else None


def certificate(plan: Plan, name: str, folder: Path, ask: Callable[[Sequence[str]], str | None]) -> str | None:
    """PEM of what vouches for proxy ``name``; None while it is not made yet. ``ask`` runs a program beside it.

    Raises VerifyError where the certificate file of nginx cannot be read.
    """
    if plan.services[name].server == "caddy":
        return ask(("cat", CADDY_ROOT))
    path = folder / SECRETS / f"{name}.crt"
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise VerifyError(
            f"the certificate of {name} cannot be read: {type(error).__name__}",
            where=str(path),
            hint="it is a PEM file; `deploy.sh secrets` makes one where there is none",
        ) from error


def local_caddyfiles(plan: Plan, project: Path, scratch: Path) -> dict[str, Path]:
    """Caddy service -> a copy of its settings in ``scratch`` that asks no public authority; those that ask none are
    left out. A trial on this machine can prove no ownership of a public name, and must not use up its quota."""
    found = {}
    for name, service in plan.services.items():
        if service.server != "caddy" or not site(plan, name).certified:
            continue
        text = (project / proxy_config_path(plan, name, PROXY_FILES["caddy"])).read_text(encoding="utf-8")
        before, brace, after = text.partition("{\n")
        if not brace:
            raise VerifyError("the Caddyfile has no global options", hint="`mlpack render` again")
        found[name] = scratch / f"{name}.Caddyfile"
        found[name].write_text(f"{before}{brace}{LOCAL_CERTIFICATES}{after}", encoding="utf-8")
        found[name].chmod(0o644)  # read by the container's user; nothing in it is secret
    return found
