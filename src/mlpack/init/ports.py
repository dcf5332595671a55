"""The port that the project already listens on: what its code, Dockerfile and gunicorn settings say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mlpack.errors import MlpackError
from mlpack.init.code import Module, keyword
from mlpack.project import read_text

DEFAULT_PORT = 8000
"""Where gunicorn and uvicorn listen by themselves."""
_FILES = (
    ("Dockerfile", re.compile(r"^EXPOSE\s+(\d{1,5})", re.MULTILINE | re.IGNORECASE)),
    ("Dockerfile", re.compile(r"--port[\"',=\s]+(\d{1,5})|--bind[\"',=\s]+[\w.]*:(\d{1,5})")),
    ("Procfile", re.compile(r"--port[=\s]+(\d{1,5})|--bind[=\s]+[\w.]*:(\d{1,5})")),
    ("gunicorn.conf.py", re.compile(r"^bind\s*=\s*[\"'][\w.]*:(\d{1,5})", re.MULTILINE)),
)


def find_ports(root: Path, modules: Sequence[Module]) -> dict[int, str]:
    """Ports that the project names -> where it does: files that start it first, then ``uvicorn.run(port=...)``."""
    found: dict[int, str] = {}
    for name, pattern in _FILES:
        for match in pattern.finditer(_text(root / name)):
            _add(found, int(next(group for group in match.groups() if group)), name)
    for module in modules:
        for call in module.calls():
            if module.dotted(call.func) == "uvicorn.run" or module.dotted(call.func).endswith(".run"):
                number = module.number(keyword(call, "port"))
                if number is not None:
                    _add(found, number, module.where(call))
    return found


def _add(found: dict[int, str], port: int, where: str) -> None:
    if 1 <= port <= 65535:
        found.setdefault(port, where)


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except MlpackError:
        return ""
