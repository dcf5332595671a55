"""Finds the Python that has the app's packages, and the server's program beside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlpack.errors import VerifyError
from mlpack.process import run
from mlpack.spec import Spec

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
"""Of the caller's environment; everything else comes from the plan, as in a container."""
MODULES = {"gunicorn": "gunicorn", "uvicorn": "uvicorn", "celery": "celery"}
"""Programs that are also `python -m MODULE`: scripts of a moved virtual environment name a Python that is gone."""


def find_python(root: Path, spec: Spec, chosen: Path | None) -> Path:
    """``chosen``, else the project's ``.venv``, else ``host.python`` of the spec. Raises VerifyError: says how."""
    for candidate in (chosen, root / ".venv" / "bin" / "python", spec.host.python):
        if candidate is None:
            continue
        path = root / Path(candidate).expanduser()
        if path.is_file() and os.access(path, os.X_OK):
            return path
        if candidate != root / ".venv" / "bin" / "python":
            raise VerifyError(f"there is no Python at {path}", hint="name one that has the app's packages: --python")
    requirements = spec.build.requirements or "requirements.txt"
    raise VerifyError(
        "no Python with the app's packages is known",
        hint=f"`python3 -m venv .venv && .venv/bin/pip install -r {requirements}`, or --python, or host.python",
    )


def command(argv: Sequence[str], python: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """``argv`` with its program found: `python -m gunicorn`, beside the Python, or on PATH. Raises VerifyError."""
    program = argv[0]
    module = MODULES.get(program)
    if module is not None:
        return (str(python), "-m", module, *argv[1:])
    found = shutil.which(program, path=f"{python.parent}{os.pathsep}{environ.get('PATH', '')}")
    if found is None:
        raise VerifyError(f"{program} is not installed here", hint=f"install {program}, or use `--launcher compose`")
    return (found, *argv[1:])


def service_environ(environ: Mapping[str, str], python: Path, own: Mapping[str, str]) -> dict[str, str]:
    """What a service of this machine sees: ``own`` variables, PATH with ``python`` first, and of the caller's
    ``environ`` only what no plan sets: nobody's MALLOC_ or LD_PRELOAD changes what is measured or verified."""
    kept = {key: value for key, value in environ.items() if key in KEPT}
    path = f"{python.parent}{os.pathsep}{kept.get('PATH', '/usr/bin:/bin')}"
    return {**kept, "PATH": path, "PYTHONUNBUFFERED": "1", **own}


def require_module(program: str, python: Path, environ: Mapping[str, str], root: Path) -> None:
    """Raise VerifyError when ``python``, started in ``root``, has no package for ``program``."""
    module = MODULES.get(program)
    if module is None:
        return
    done = run((str(python), "-c", f"import {module}"), cwd=root, env=environ, timeout_s=60, check=False)
    if done.code != 0:
        said = (done.stderr.strip() or "(nothing said)").splitlines()[-1]
        raise VerifyError(
            f"{python} cannot import {module}: {said}",
            hint="install the app's requirements into it, or name another: --python",
        )


def package_folders(python: Path) -> tuple[Path, ...]:
    """Where ``python``'s packages are, for dropping their libraries from the page cache."""
    return tuple(sorted(python.parent.parent.glob("lib/python*/site-packages")))
