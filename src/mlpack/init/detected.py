"""What init found: everything that mlpack.yaml will say, the lines that say so, and the questions that are left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlpack.errors import UsageError
from mlpack.init.apps import Interface
from mlpack.spec import FactName

SERVICE = "web"
"""The name of the one service."""
ANSWERS: Mapping[str, str] = {  # flag -> what it takes
    "name": "the project's name, like --name my-app",
    "app": "what is served, like --app main:app or --app 'shop.web:create_app()'",
    "interface": "what the app is: wsgi or asgi",
    "server": "gunicorn or uvicorn",
    "endpoint": "how inference is written: def or async",
    "port": "the port it listens on, like --port 8000",
    "health": "the path that answers 200 only when every model is loaded, like --health /health",
    "model": "model files, like --model weights/a.safetensors,weights/b; hub:owner/name; or none",
    "runtime": "the library that runs the models, like --runtime torch",
    "requirements": "the requirements file (or environment.yml), like --requirements requirements.txt",
    "python": "the Python version, like --python 3.11",
}


@dataclass(frozen=True)
class DetectedModel:
    """One model of the spec; ``why`` tells where its largest input was read."""

    name: str
    path: str | None
    hub: str | None
    runtime: str | None
    tokens: int | None = None
    batch: int | None = None
    why: str | None = None


@dataclass(frozen=True)
class Detected:
    """A project with one service, understood. ``why`` maps keys of the service and of the build to file and line."""

    name: str
    python: str
    requirements: str
    app: str
    interface: Interface | None
    server: str
    endpoint: str | None
    port: int
    health: str
    models: tuple[DetectedModel, ...]
    env: dict[str, tuple[str, FactName]]
    """Variable -> (service or model, fact)."""
    max_body_bytes: int | None
    also_reads: tuple[str, ...]
    """Other variables that the app reads, for a comment."""
    post_path: str | None
    """A POST route, for the sample request in the comment."""
    why: dict[str, str] = field(default_factory=dict)


class Questions:
    """Collects what could not be found, so that one error asks for all of it."""

    def __init__(self) -> None:
        self._asked: list[str] = []

    def ask(self, flag: str, reason: str) -> None:
        """``--flag`` is needed because of ``reason``."""
        self._asked.append(f"--{flag}: {reason}\n      {ANSWERS[flag]}")

    def raise_if_any(self) -> None:
        """Raises UsageError naming every flag to give."""
        if self._asked:
            listed = "".join(f"\n    {line}" for line in self._asked)
            raise UsageError(
                f"cannot tell everything from the project's files; {len(self._asked)} left to say:{listed}",
                where="mlpack init",
                hint="give these flags, or write mlpack.yaml by hand",
            )


def listed(names: Mapping[str, str] | tuple[str, ...], most: int = 8) -> str:
    """``names`` for a question, the first ``most``."""
    texts = [f"{name} ({where})" for name, where in names.items()] if isinstance(names, Mapping) else list(names)
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
