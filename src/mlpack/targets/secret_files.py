"""Secrets as deploy.sh makes them beside the compose file: a value a file, mode 0600, and env files around them.

Values are random where nobody put one; they reach containers in env files that Compose reads, or as mounted files.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.plan import Plan
from mlpack.servers.secrets import held_variables, password_file
from mlpack.targets.base import app_uid, containers
from mlpack.targets.compose_service import SECRETS
from mlpack.targets.images import is_built_here
from mlpack.targets.programs import PROGRAMS, secret_mounts, tls_files


def mounted_secrets(plan: Plan) -> list[dict[str, str]]:
    """The compose file's own `secrets`: what some program reads as a file."""
    names = sorted({secret for name in containers(plan) for secret in secret_mounts(plan, name)})
    return [{"name": name, "file": f"./{SECRETS}/{name}"} for name in names]


def secrets_view(plan: Plan) -> Mapping[str, object]:
    """What deploy.sh makes: values, env files with the variables in them, and files that a container's user reads."""
    held = {name: held_variables(plan, name) for name in containers(plan)}
    values = {one.secret for variables in held.values() for one in variables.values()}
    opened = [
        {"secret": secret, "uid": _reader(plan, name)}
        for name in containers(plan)
        for secret in secret_mounts(plan, name)
    ]
    return {
        "secrets": sorted(values | {file for name in containers(plan) if (file := password_file(plan, name))}),
        "certificates": [(name, plan.spec.services[name].domain) for name in containers(plan) if tls_files(plan, name)],
        "secret_env_files": [
            {
                "service": name,
                "lines": [(key, one.before, one.secret, one.after) for key, one in variables.items()],
            }
            for name, variables in held.items()
            if variables
        ],
        "opened": opened,
        "with_secrets": bool(values or opened),
    }


def secret_names(plan: Plan) -> tuple[str, ...]:
    """Every file that deploy.sh makes where it is missing: values, certificates and their keys; sorted."""
    values = {one.secret for name in containers(plan) for one in held_variables(plan, name).values()}
    return tuple(sorted(values | {secret for name in containers(plan) for secret in secret_mounts(plan, name)}))


def _reader(plan: Plan, name: str) -> int:
    """The uid that reads service ``name``'s files."""
    program = PROGRAMS.get(plan.services[name].server)
    return app_uid(plan) if program is None or program.uid is None or is_built_here(plan, name) else program.uid
