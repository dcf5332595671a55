"""Which HTTP routes the code declares, and whether their functions are ``def`` or ``async def``."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mlpack.init.code import Module, keyword, text

READY_NAMES = ("readyz", "ready", "readiness", "healthz", "health", "healthcheck", "health_check", "status", "ping")
"""Last parts of paths that say "I can answer", the most telling first. ``livez`` is not among them: it says less."""
_ROUTERS = ("fastapi.APIRouter", "fastapi.routing.APIRouter", "flask.Blueprint", "quart.Blueprint")
_MOUNTS = ("include_router", "register_blueprint", "mount")


@dataclass(frozen=True)
class Route:
    """One declared route. ``whole`` is False where a router's prefix, set elsewhere, may stand before ``path``."""

    methods: frozenset[str]
    path: str
    is_async: bool
    where: str
    whole: bool


def find_routes(modules: Sequence[Module]) -> tuple[Route, ...]:
    """Routes by decorators (FastAPI, Flask, Quart, Litestar's app methods) and Starlette's Route(...)."""
    mounted = any(
        isinstance(call.func, ast.Attribute)
        and call.func.attr in _MOUNTS
        and (keyword(call, "prefix", "url_prefix") is not None or call.func.attr == "mount")
        for module in modules
        for call in module.calls()
    )
    return tuple(route for module in modules for route in _routes(module, mounted))


def health_route(routes: Sequence[Route]) -> Route | None:
    """The GET route whose name says readiness best; None where there is none that is surely whole."""
    found = [
        (READY_NAMES.index(name), len(route.path), route.path, route)
        for route in routes
        if "GET" in route.methods and route.whole
        for name in [route.path.rstrip("/").rpartition("/")[2].lower()]
        if name in READY_NAMES
    ]
    return min(found, key=lambda row: row[:3])[3] if found else None


def _routes(module: Module, mounted: bool) -> Iterator[Route]:
    prefixes = _prefixes(module)
    functions = [node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    kinds = {node.name: isinstance(node, ast.AsyncFunctionDef) for node in functions}
    for function in functions:
        for decorator in function.decorator_list:
            if not isinstance(decorator, ast.Call) or not isinstance(decorator.func, ast.Attribute):
                continue
            methods = _methods(decorator, decorator.func.attr)
            path = text(decorator.args[0]) if decorator.args else text(keyword(decorator, "path", "rule"))
            if path is None or not methods:
                continue
            on = decorator.func.value.id if isinstance(decorator.func.value, ast.Name) else ""
            whole = not (mounted and on in prefixes) and prefixes.get(on, "") is not None
            yield Route(
                methods,
                f"{prefixes.get(on) or ''}{path}",
                isinstance(function, ast.AsyncFunctionDef),
                module.where(function),
                whole,
            )
    for call in module.calls():
        if module.dotted(call.func) == "starlette.routing.Route" and call.args:
            path = text(call.args[0])
            endpoint = call.args[1] if len(call.args) > 1 else keyword(call, "endpoint")
            if path is not None and isinstance(endpoint, ast.Name):
                methods = _methods(call, "route")
                yield Route(methods, path, kinds.get(endpoint.id, True), module.where(call), not mounted)


def _methods(call: ast.Call, name: str) -> frozenset[str]:
    """The HTTP methods that a decorator called ``name`` declares; none where it is no route."""
    if name in ("get", "post", "put", "delete", "patch"):
        return frozenset([name.upper()])
    if name not in ("route", "api_route"):
        return frozenset()
    listed = keyword(call, "methods")
    if isinstance(listed, ast.List | ast.Tuple | ast.Set):
        return frozenset(word.upper() for item in listed.elts if (word := text(item)) is not None)
    return frozenset(["GET"])


def _prefixes(module: Module) -> dict[str, str | None]:
    """Router variables of the module -> the prefix they were made with; None where it is no literal."""
    found: dict[str, str | None] = {}
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        target = node.targets[0]
        if isinstance(target, ast.Name) and module.dotted(node.value.func) in _ROUTERS:
            prefix = keyword(node.value, "prefix", "url_prefix")
            found[target.id] = "" if prefix is None else text(prefix)
    return found
