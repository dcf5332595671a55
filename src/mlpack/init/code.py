"""Python modules as syntax trees: read, never imported, so that nothing of the project runs."""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

MAX_BYTES = 1024**2
_ENVIRONMENT = ("os.environ.get", "os.getenv", "environ.get", "getenv")


@dataclass(frozen=True)
class Module:
    """One file: its dotted name as seen from the project's root, its tree, and what its names stand for."""

    path: PurePosixPath
    name: str
    tree: ast.Module
    imports: dict[str, str] = field(default_factory=dict)
    """Local name -> full dotted name."""
    numbers: dict[str, int] = field(default_factory=dict)
    """Constants of the module that are whole numbers."""

    def where(self, node: ast.AST) -> str:
        """``app.py:12``."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"

    def dotted(self, node: ast.AST | None) -> str:
        """The full dotted name of ``node``; empty where it is no name."""
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self.imports.get(node.id, node.id), *reversed(attributes)])

    def calls(self) -> Iterator[ast.Call]:
        """Every call in the module."""
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.Call))

    def number(self, node: ast.AST | None, depth: int = 20) -> int | None:
        """The whole number that ``node`` surely is: ``8 * 1024**2``, a constant, the default of an environment read."""
        if isinstance(node, ast.Constant):
            return _whole(node.value)
        if isinstance(node, ast.Name):
            return self.numbers.get(node.id)
        if isinstance(node, ast.BinOp) and depth > 0:
            return _combined(self.number(node.left, depth - 1), node.op, self.number(node.right, depth - 1))
        if isinstance(node, ast.Call) and depth > 0:
            if environment_variable(self, node) is not None:
                return self.number(node.args[1], depth - 1) if len(node.args) > 1 else None
            if self.dotted(node.func) in ("int", "float", "str") and len(node.args) == 1:
                return self.number(node.args[0], depth - 1)
        return None


def read_modules(root: Path, files: Iterable[PurePosixPath]) -> tuple[Module, ...]:
    """The Python files among ``files`` that parse and that an import could name; tests and set-up scripts left out."""
    found = []
    for path in files:
        parts = [*path.parts[:-1], path.stem]
        odd = path.suffix != ".py" or not all(part.isidentifier() for part in parts)
        if odd or path.name.startswith("test_") or path.name in ("conftest.py", "setup.py"):
            continue
        try:
            raw = (root / path).read_bytes()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # invalid escapes in other people's strings
                tree = ast.parse(raw) if len(raw) <= MAX_BYTES else None
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            continue  # what does not parse cannot be served either; what is missing is asked for
        if tree is not None:
            found.append(_module(path, ".".join(parts).removesuffix(".__init__"), tree))
    return tuple(found)


def environment_variable(module: Module, node: ast.AST) -> str | None:
    """The variable that ``node`` reads: ``os.environ["X"]``, ``os.environ.get("X")``, ``os.getenv("X")``."""
    key: ast.expr | None = None
    if isinstance(node, ast.Subscript) and module.dotted(node.value) in ("os.environ", "environ"):
        key = node.slice
    elif isinstance(node, ast.Call) and module.dotted(node.func) in _ENVIRONMENT and node.args:
        key = node.args[0]
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else None


def keyword(call: ast.Call, *names: str) -> ast.expr | None:
    """The value of the first of ``names`` among the call's keywords."""
    return next((word.value for word in call.keywords if word.arg in names), None)


def text(node: ast.AST | None) -> str | None:
    """A string literal's text."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _module(path: PurePosixPath, name: str, tree: ast.Module) -> Module:
    module = Module(path, name, tree)
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                module.imports[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                module.imports[alias.asname or alias.name] = f"{source}.{alias.name}"
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            number = module.number(statement.value)
            if number is not None:
                module.numbers[statement.targets[0].id] = number
    return module


def _whole(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return value if type(value) is int else None


def _combined(left: int | None, operator: ast.operator, right: int | None) -> int | None:
    if left is None or right is None:
        return None
    if isinstance(operator, ast.Mult):
        return left * right
    if isinstance(operator, ast.Add):
        return left + right
    if isinstance(operator, ast.LShift) and 0 <= right <= 63:
        return left << right
    if isinstance(operator, ast.Pow) and 0 <= right <= 63 and abs(left) <= 1 << math.ceil(64 / max(right, 1)):
        return int(left**right)
    return None
