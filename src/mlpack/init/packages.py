"""What the project installs, and for which Python: requirements, pyproject.toml, .python-version, Dockerfile."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mlpack.errors import MlpackError
from mlpack.project import read_text

REQUIREMENTS = ("requirements.txt", "requirements/prod.txt", "requirements/production.txt", "requirements/base.txt")
PYTHONS = tuple(range(9, 15))
"""Minor versions of Python 3 that a `requires-python` may mean."""
_INCLUDE = re.compile(r"-(?:r|-requirement)[ =]?\s*(\S+)")
_BOUND = re.compile(r"(>=|<=|==|~=|!=|<|>)\s*3\.(\d+)")
_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)?(?:\S*/)?python:3\.(\d+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Packages:
    """A requirements file and its lines, included files' lines among them."""

    file: str | None
    lines: tuple[str, ...]


def find_packages(root: Path, files: Sequence[PurePosixPath], wanted: str | None) -> Packages:
    """The requirements file (``wanted``, or the one of the usual names) and what it asks for.

    Without one, pyproject.toml's dependencies still tell what the app is made of; ``file`` is None then.
    """
    names = {str(path) for path in files}
    file = wanted or next((name for name in REQUIREMENTS if name in names), None)
    if file is not None:
        return Packages(file, _lines(root, file, depth=3))
    dependencies = _pyproject(root).get("dependencies", [])
    return Packages(None, tuple(line for line in dependencies if isinstance(line, str)))


def python_version(root: Path, running: str) -> tuple[str, str]:
    """``3.11`` and the file that says so; the ``running`` one where nothing does, or where the project admits it."""
    for name, pattern in ((".python-version", r"\s*(?:cpython-)?3\.(\d+)"), ("runtime.txt", r"\s*python-3\.(\d+)")):
        match = re.match(pattern, _text(root / name))
        if match is not None:
            return f"3.{match[1]}", name
    image = _FROM.search(_text(root / "Dockerfile"))
    if image is not None:
        return f"3.{image[1]}", "Dockerfile"
    asked = _pyproject(root).get("requires-python")
    if isinstance(asked, str):
        admitted = [minor for minor in PYTHONS if _admits(asked, minor)]
        now = int(running.partition(".")[2])
        if admitted and now not in admitted:
            return f"3.{max(admitted) if now > max(admitted) else min(admitted)}", "pyproject.toml"
    return running, "the Python that runs mlpack"


def project_name(root: Path) -> str:
    """The name in pyproject.toml, else the folder's."""
    name = _pyproject(root).get("name")
    return name if isinstance(name, str) else root.resolve().name


def _lines(root: Path, file: str, depth: int) -> tuple[str, ...]:
    lines: list[str] = []
    for raw in _text(root / file).splitlines():
        line = raw.split(" #")[0].strip()
        include = _INCLUDE.match(line)
        if include is not None and depth > 0:
            inner = (PurePosixPath(file).parent / include[1]).as_posix()
            lines.extend(_lines(root, inner, depth - 1))
        elif line and not line.startswith(("#", "-")):
            lines.append(line)
    return tuple(lines)


def _admits(asked: str, minor: int) -> bool:
    """Whether `requires-python` ``asked`` admits some release of Python 3.``minor``."""
    holds = {
        ">=": lambda bound: minor >= bound,
        ">": lambda bound: minor >= bound,
        "~=": lambda bound: minor >= bound,
        "<=": lambda bound: minor <= bound,
        "<": lambda bound: minor < bound,
        "==": lambda bound: minor == bound,
        "!=": lambda bound: minor != bound,
    }
    return all(holds[operator](int(bound)) for operator, bound in _BOUND.findall(asked))


def _pyproject(root: Path) -> dict[str, Any]:
    try:
        project = tomllib.loads(_text(root / "pyproject.toml")).get("project")
    except tomllib.TOMLDecodeError:
        return {}
    return project if isinstance(project, dict) else {}


def _text(path: Path) -> str:
    """The file's text; nothing where it cannot be read, as then it tells nothing."""
    try:
        return read_text(path)
    except MlpackError:
        return ""
