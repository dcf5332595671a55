"""What is asked of services: requests of several steps, calls of tasks, values that are secrets or other's facts.

Part of ``spec``, which names them all.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from mlpack.noun import Noun

FactName = Literal[
    "url", "host", "port", "path", "workers", "threads", "concurrency", "timeout", "max_body", "redelivery", "ready"
]
"""The closed list of what ``{from: name.fact}`` may ask for."""


class EnvValue(Noun):
    """One environment value: exactly one of text, a fact of another service or model, or a secret."""

    text: str | None = None
    of: str | None = None
    fact: FactName | None = None
    secret: str | None = None


class Call(Noun):
    """A Celery task or plain function, called in place of an HTTP request to measure a service by."""

    call: str
    """``module:function``; a task runs as in a worker, without the queue."""
    args: tuple[Any, ...] = ()
    """JSON values; ``{file: path}`` anywhere in them stands for that file's content (.json: its value, else text)."""
    kwargs: dict[str, Any] = {}


class Expect(Noun):
    """What an answer must be. ``json`` may hold matchers in place of values, see ``client.match``:
    ``{near: 12.3, within: 0.5}``, ``{like: file, within: 0.01}``, ``{cosine_order: [1, 2]}``."""

    status: int = 200
    json_: Any = Field(default=None, alias="json")
    like: str | None = None
    """A reference file of the project: .json, .npy, .png, text."""
    within: float | None = None
    iou: float | None = None


class Step(Noun):
    """One HTTP exchange (or ``run``: an argv that exits 0). ``{id}`` in paths is taken from earlier JSON answers."""

    to: str | None = None
    method: Literal["GET", "POST", "PUT", "DELETE"] = "GET"
    path: str | None = None
    json_: Any = Field(default=None, alias="json")
    file: dict[str, str] = {}
    """Multipart field -> file of the project."""
    headers: dict[str, EnvValue] = {}
    run: tuple[str, ...] = ()
    expect: Expect | None = None
    until: Expect | None = None
    within_s: Annotated[float, Field(gt=0)] | None = None
    """Deadline of ``until``."""


class Request(Noun):
    """A user's request: one step or several. The ``largest`` one is what sizing uses; load mixes it with the others."""

    largest: bool = False
    steps: tuple[Step, ...]
