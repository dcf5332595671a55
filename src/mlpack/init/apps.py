"""Which object is served: module-level apps of known frameworks, else functions that make one. By syntax alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mlpack.init.code import Module

Interface = Literal["wsgi", "asgi"]
CONSTRUCTORS: dict[str, Interface] = {
    "fastapi.FastAPI": "asgi",
    "fastapi.applications.FastAPI": "asgi",
    "starlette.applications.Starlette": "asgi",
    "litestar.Litestar": "asgi",
    "quart.Quart": "asgi",
    "falcon.asgi.App": "asgi",
    "django.core.asgi.get_asgi_application": "asgi",
    "flask.Flask": "wsgi",
    "flask.app.Flask": "wsgi",
    "bottle.Bottle": "wsgi",
    "falcon.App": "wsgi",
    "django.core.wsgi.get_wsgi_application": "wsgi",
}


@dataclass(frozen=True)
class FoundApp:
    """``module:attribute`` (``module:factory()``) as servers import it, from the project's root."""

    app: str
    interface: Interface
    where: str


def find_apps(modules: Sequence[Module]) -> tuple[FoundApp, ...]:
    """Apps that exist after import; only where there are none, functions that return one when called without values."""
    factories = {f"{module.name}.{name}": found for module in modules for name, found in _factories(module)}
    known = CONSTRUCTORS | {name: found.interface for name, found in factories.items()}
    apps: dict[str, FoundApp] = {}
    for module in modules:
        for statement in _top_level(module.tree.body):
            for name, value in _assigned(statement):
                interface = _made(module, value, known)
                if interface is not None:
                    app = f"{module.name}:{name}"
                    apps.setdefault(app, FoundApp(app, interface, module.where(statement)))
    return tuple(apps.values()) or tuple(found for found in factories.values() if found.app.endswith("()"))


def _made(module: Module, value: ast.expr | None, known: dict[str, Interface]) -> Interface | None:
    """The interface of what ``value`` makes, if it is a call to something that makes an app."""
    if not isinstance(value, ast.Call):
        return None
    name = module.dotted(value.func)
    return known.get(name) or known.get(f"{module.name}.{name}")


def _factories(module: Module) -> Iterator[tuple[str, FoundApp]]:
    for function in module.tree.body:
        if not isinstance(function, ast.FunctionDef):
            continue
        made = {
            name: interface
            for statement in ast.walk(function)
            for name, value in _assigned(statement)
            if (interface := _made(module, value, CONSTRUCTORS)) is not None
        }
        for node in ast.walk(function):
            if isinstance(node, ast.Return):
                named = made.get(node.value.id) if isinstance(node.value, ast.Name) else None
                interface = named or _made(module, node.value, CONSTRUCTORS)
                if interface is not None:
                    call = "()" if _needs_nothing(function.args) else "(...)"
                    yield (
                        function.name,
                        FoundApp(f"{module.name}:{function.name}{call}", interface, module.where(function)),
                    )
                    break


def _needs_nothing(arguments: ast.arguments) -> bool:
    positional = len(arguments.posonlyargs) + len(arguments.args)
    return positional <= len(arguments.defaults) and all(default is not None for default in arguments.kw_defaults)


def _assigned(statement: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """Names that ``statement`` binds, and to what."""
    if isinstance(statement, ast.Assign):
        targets = [target for target in statement.targets if isinstance(target, ast.Name)]
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        targets = [statement.target]
    else:
        return
    for target in targets:
        yield target.id, statement.value


def _top_level(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run at import: also those below ``try`` and ``if``, but not below ``if __name__ == ...``."""
    for statement in body:
        if isinstance(statement, ast.If) and "__name__" in ast.dump(statement.test):
            continue
        if isinstance(statement, ast.If | ast.Try):
            yield from _top_level([*statement.body, *statement.orelse])
        else:
            yield statement
