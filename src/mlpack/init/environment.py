"""Variables that the app reads, and which of them ask for something that mlpack knows."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mlpack.init.code import Module, environment_variable
from mlpack.spec import FactName

RULES: tuple[tuple[str, FactName], ...] = (  # pattern of a whole name -> the fact it asks for; the first that fits
    (r"WEB_CONCURRENCY|(WEB|GUNICORN|UVICORN)_WORKERS", "workers"),  # what gunicorn and uvicorn call it
    (r"(.+_)?(CONCURRENCY|MAX_CONCURRENT(_REQUESTS)?|MAX_IN_FLIGHT)", "concurrency"),
    (r"((APP|MODEL|TORCH|INFERENCE|NUM|INTRA_OP)_)*THREADS", "threads"),
    (r"(.+_)?(MAX_(BODY|UPLOAD|CONTENT)|UPLOAD_(MAX|LIMIT)|BODY_LIMIT)(_(BYTES|SIZE|LENGTH))?", "max_body"),  # not _MB
    (r"PORT", "port"),
    (r"(.+_)?(MODEL|WEIGHTS|CHECKPOINT)(_.*)?(DIR|PATH|FILE)|MODEL|WEIGHTS|CHECKPOINT", "path"),
)
_SECRET = re.compile(r"(.+_)?(SECRET|TOKEN|PASSWORD|PASSWD|API_KEY|PRIVATE_KEY|SECRET_KEY)(_.*)?")


@dataclass(frozen=True)
class Variable:
    """A variable that the code reads. ``number`` is its default where that is a whole number."""

    name: str
    number: int | None
    where: str

    @property
    def fact(self) -> FactName | None:
        """The fact that its name asks for."""
        return next((fact for pattern, fact in RULES if re.fullmatch(pattern, self.name)), None)

    @property
    def is_secret(self) -> bool:
        """Whether its value should not be in a file that is shared."""
        return _SECRET.fullmatch(self.name) is not None


def find_variables(modules: Sequence[Module]) -> tuple[Variable, ...]:
    """Every variable that the code reads by a literal name, once each, by name."""
    found: dict[str, Variable] = {}
    for module in modules:
        for node in ast.walk(module.tree):
            name = environment_variable(module, node)
            if name is None or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
                continue
            if name not in found or found[name].number is None:
                found[name] = Variable(name, module.number(node), module.where(node))
    return tuple(found[name] for name in sorted(found))
