"""install.sh: what it checks, prepares, puts in place and starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.servers.paths import deploy_folder, volume_path
from mlpack.servers.secrets import held_variables
from mlpack.targets.base import Requirements
from mlpack.targets.folders import LEFT_BY_ROOT, kept_words
from mlpack.targets.gpu import looked_for
from mlpack.targets.images import DEFAULT_PYTHON, TORCH_CPU_INDEX, effective_build, profile_suffix
from mlpack.targets.systemd_programs import (
    PROGRAMS,
    own_environment,
    python_of,
    runs_code,
    shared_uid,
    user_made,
    user_of,
)
from mlpack.targets.systemd_unit import grouping, unit_name
from mlpack.units import MIB

SYSTEMD_AT_LEAST = "247"
"""The first with ProtectProc= (Debian 11, Ubuntu 22.04, RHEL 9 are newer)."""


def script_view(plan: Plan, requirements: Requirements) -> Mapping[str, object]:
    """The values of install.sh. Raises SpecError where nothing says what to install."""
    names = [name for name, service in plan.services.items() if service.target == "systemd"]
    code = [name for name in names if runs_code(plan, name)]
    held = {name: held_variables(plan, name) for name in names}
    shared = shared_uid(plan)
    return {
        "name": plan.name,
        "profiles": profile_suffix(plan),
        "root": plan.spec.root_path,
        "folder": f"{deploy_folder(plan.profiles)}/systemd",
        "user": user_of(plan),
        "user_made": user_made(plan),
        "uid": "" if shared is None else str(shared),
        "systemd_at_least": SYSTEMD_AT_LEAST,
        "memory_mib": sum(row.limit_bytes for row in plan.budget.rows) // MIB,
        "models": model_files(plan, code),
        "programs": [_program(plan, name) for name in names if not runs_code(plan, name)],
        "modules": [
            {
                "python": python,
                "code": f"import {server}",
                "closed": f"{user_of(plan)} cannot run {python}: is it there, and may the user enter its folders?",
                "missing": f"{python} cannot import {server}: install the requirements there",
            }
            for python, server in sorted({(python_of(plan, name), plan.services[name].server) for name in code})
        ],
        **_environment(plan, code, requirements),
        "folders": [
            (path, *kept_words(plan, path, path))
            for path in sorted({volume_path(plan.spec, v) for name in code for v in plan.spec.services[name].volumes})
        ],
        "left_by_root": LEFT_BY_ROOT,
        "secrets": sorted({one.secret for variables in held.values() for one in variables.values()}),
        "environments": [
            {"service": name, "lines": [(key, one.before, one.secret, one.after) for key, one in variables.items()]}
            for name, variables in held.items()
            if variables
        ],
        "units": [{"service": name, "unit": unit_name(plan, name)} for name in names],
        "unit_names": [unit_name(plan, name) for name in names],
        "group": grouping(plan),
        "cards": sorted({path for name in code if (gpu := plan.services[name].gpu) for path in looked_for(gpu)}),
    }


def model_files(plan: Plan, names: list[str]) -> tuple[str, ...]:
    """Weights that must be there before anything starts, relative to the project."""
    used = {model for name in names for model in plan.spec.services[name].models}
    return tuple(sorted(path for model in used if (path := plan.spec.models[model].path) is not None))


def _program(plan: Plan, name: str) -> dict[str, str]:
    program = PROGRAMS[plan.services[name].server]
    return {"name": program, "missing": f"{program} is not installed: {name} is it (Debian: apt install {program})"}


def conda_units(plan: Plan) -> bool:
    """Some unit's environment is made from conda's file: install.sh needs the program that cleans it."""
    names = [name for name, service in plan.services.items() if service.target == "systemd" and runs_code(plan, name)]
    return own_environment(plan) and any(effective_build(plan, name).conda for name in names)


def _environment(plan: Plan, code: list[str], requirements: Requirements) -> dict[str, Any]:
    """How the environments are made, where they are install.sh's to make; one for pip, one for conda's file."""
    own = own_environment(plan)
    conda = sorted({file for name in code if (file := effective_build(plan, name).conda)}) if own else []
    if len(conda) > 1:
        hint = "put the packages into one file, or name an existing environment's Python: host.python"
        raise SpecError("units share one conda environment, not several", where="services", hint=hint)
    plain = [name for name in code if not effective_build(plan, name).conda]
    names = {line.lower().replace("=", " ").split(" ")[0] for name in plain for line in requirements.get(name, ())}
    torch = "torch" in names or any("torch" in plan.services[name].runtimes for name in code)
    cards = any(plan.services[name].gpu for name in plain)
    build = plan.spec.build
    return {
        "requirements": _requirement_files(plan, plain) if own else (),
        "venv": f"{plan.spec.root_path}/.venv",
        "conda": conda[0] if conda else None,
        "conda_folder": f"{plan.spec.root_path}/.conda",
        "base_python": f"python{build.python or DEFAULT_PYTHON}",
        "extra_index": TORCH_CPU_INDEX
        if torch and not cards and build.index is None and build.wheelhouse is None
        else "",
    }


def _requirement_files(plan: Plan, code: list[str]) -> tuple[str, ...]:
    found = []
    for name in code:
        file = effective_build(plan, name).requirements
        if file is None:
            raise SpecError(
                "nothing says what to install on the host",
                where=f"services.{name}.build",
                hint="write `build: {requirements: requirements.txt}`, or name an existing environment's Python: "
                "`host: {python: /opt/env/bin/python}`",
            )
        found.append(file)
    return tuple(sorted(set(found)))
